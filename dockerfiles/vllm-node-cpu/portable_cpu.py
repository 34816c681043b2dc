# Added to torch/cpu/__init__.py: vLLM asks these before it chooses kernels, and takes AVX2 ones for a no.
# A virtual machine may announce AMX or AVX512-BF16 and still die with SIGILL when they are used.
import os as _os

if _os.environ.get("SPARKCONSOLE_PORTABLE_CPU", "1") == "1":

    def _is_avx512_supported() -> bool:
        return False

    def _is_avx512_bf16_supported() -> bool:
        return False

    def _is_amx_tile_supported() -> bool:
        return False

    def _is_amx_fp16_supported() -> bool:
        return False

    def _init_amx() -> bool:
        return False
