"""What tools say of the fast links: addresses, RDMA devices, pings, meters, and NCCL."""
