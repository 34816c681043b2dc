"""What hides a secret knows the shapes that secrets have, leaves alone what only looks like one, and costs no
more than the text is long."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.model.text import redact as redacting
from sparkconsole.model.text.redact import (
    STARS,
    LineRedactor,
    learn,
    learn_environment,
    learn_words,
    redact,
    redact_data,
    redact_words,
    secret_flag,
    secret_name,
)
from tests.pumps import LINEAR, Place, growth, pumps, spread

ROOT = Path(__file__).parent.parent.parent
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJub2JvZHkifQ.dozjgNryP4J3jVmNHl0w5N"
MIXED = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3z"
HEX = "0123456789abcdef0123456789abcdef01234567"


SECRET = f"""
HF_TOKEN=«abcdef»
A_B_C_SECRET_KEY: «abcdef»
mine_TOKEN=«abcdef»
__PASSWORD=«abcdef»
my_api_key=«'abc def'»
x2_hf_token=[«abcdef»]
A_TOKEN=«one» B_TOKEN=«two»
NOTAPASSWORD=«5»
VLLM_API_KEY=«sk»
PGPASSWORD=«pw» psql -h db
MYSQL_PWD=«pw1» mysql
SSHPASS=«xy» sshpass -e
REDISCLI_AUTH=«abc»
DB_PASS=«hunter2»
HF_TOKEN_2=«Zq7xW2pLk9vT»
TOKEN1=«Zq7xW2pLk9vT»
API_KEY_PROD=«Zq7xW2pLk9vT»
API_KEYS=«Zq7xW2pLk9vT»
API_KEYS=«Zq7xW2pLk9vT,K2» next
api_keys: «Zq7xW2pLk9vT»
PASSWORD2=«Zq7xW2pLk9vT»
DB_PASS_2=«Zq7xW2pLk9vT»
CREDENTIALS=«Zq7xW2pLk9vT»
GIT_CREDENTIALS="«Zq7xW2pLk9vT»"
SECRET_KEY_STAGING: «Zq7xW2pLk9vT»
hf_token_dev=«Zq7xW2pLk9vT»
hf_«oauth_Zq7xW2pLk9vT»
hf_«jwt_{JWT}»
sent Basic «dXNlcjpwYXNz»
sent Basic «dXNlcjpwYXNzdw==»
basic «YW5uOlpxN3hXMnBMazl2VA==»
basic «YW5uYTpacTd4VzJwTGs5dlQ=» and
HF_TOKEN = «Zq7xW2pLk9vT»
password=«Zq''7xW2pLk9vT»
password=«a'b'Zq7x»
password=«'a b'"c"Zq7x» next
api_key: !vault «Zq7xW2pLk9vT»
password={{ «Zq7xW2pLk9vT» }}
<password>«Zq7xW2pLk9vT»</password>
<server.apiKey encrypted="no"> «a b »</server.apiKey>
curl --cookie '«sid=Zq7xW2pLk9vT»' http://h/
password: «Zq7xW2pLk9vT»
SMTP_PASSWORD="«…»"
export NGC_API_KEY=«{MIXED}»
WANDB_API_KEY=«{HEX}»
AWS_SECRET_ACCESS_KEY=«wJalr/XUtn+FEMI/K7MDENG»
AWS_ACCESS_KEY_ID=«AKIAIOSFODNN7EXAMPLE»
AWS_SESSION_TOKEN=«FwoGZXIvYXdzE»
AccountName=x;AccountKey=«abc/def==»;EndpointSuffix=y
HUGGING_FACE_HUB_TOKEN=«abc»
PASSWORD=«123456»
apiKey: «abcdef»
accessToken=«abcdef»
clientSecret: «abc.def»
userPassword = «abc»
hfToken: «abc»
db_pwd: «abc»
password: «correct-horse»
passphrase: «correct»
Password: «correct»
Your API key: «abc-def»
token: «abc123def456»
  token: «"abc123def456"»
"token": "«abc123def456»"
{{"api_key": «"abc"», "n": 1}}
{{"password":«"a\\"b"»,"n":1}}
{{"a": "{{\\"hf_token\\": «\\"abc\\"»}}"}}
{{'secret': «'abc def'»}}
Namespace(api_key=«'abc'», port=8000)
Namespace(api_key=[«'abc'»], port=8000)
hf_token=«SecretStr('abc'»)
password=«b'abc'», n=1
secret => «"abc"»
private_key := «abc»
"auth": "«dXNlcjpwYXNz»"
"identitytoken": «"abc"»
vllm serve M --api-key «K»
vllm serve M --api-key=«K»
vllm serve M --api_key «K» --port 1
vllm serve M --api-ke «K»
vllm serve M --api_ke=«K»
vllm serve M --api-k «K»
vllm serve M --hf-token «K»
vllm serve M --hf_token=«K»
vllm serve M --hf-tok «K»
hf auth login --token «abc»
huggingface-cli login --token=«abc»
prog -token «abc»
prog --password «pw»
prog --password='«a b»'
prog --db-password "«a b»"
prog --http-password=«pw»
prog --client-secret «abc»
prog '--api-key=«a b c»' next
env 'HF_TOKEN=«a b c»' next
docker run -e HF_TOKEN=«abc» image
docker run -ePASSWORD=«abc» image
docker build --build-arg PIP_TOKEN=«abc» .
docker login -u x -p «y»
docker login registry.local -p=«y» -u x
podman login --username x --password «y»
sshpass -p «pw» ssh node
sshpass -p«pw» ssh node
sshpass -p «'my pw'» ssh node
mysql -uroot -p«pw» db
docker -H x login -u u -p «K»
docker --context=far -D --log-level debug login -u u -p «K» host
sh -c "docker  login -u u -p «K»"
docker login -u u -p	«K» host
docker login -u u -p   «"a b"» host
docker login -u u '-p«a b»' host
nerdctl --namespace n login -p «K»
curl -u "u:«ab K»" http://host/
curl -u 'u v:«ab K»' http://host/
curl -su u:«K» http://host/
curl -sSu "u:«a'b»" http://host/
curl -U u:«K» http://host/
curl --proxy-user  u:«K» http://host/
mysql '-p«K x»' db
mysql -uroot "-p«K x»" db
mariadb-dump -uroot -p«K» db
sshpass '-p«a b»' ssh node
curl -u me:«pw» http://host/
curl --user 'me:«pw»' http://host/
redis-cli -h h -a «pw» ping
wandb login «{HEX}»
machine h login u password «p»
default login u password «p»
machine h login u account a password «p»
  password «S3cr»
Authorization: Bearer «abc»
Authorization: Basic «dXNlcjpwYXNz»
curl -H 'Authorization: «abcdef»' http://h/
"Authorization": "Bearer «abc»"
authorization=Bearer «abc»
curl -H "Authorization: Bearer" «abcdef» http://h/
curl -H 'Proxy-Authorization: Basic' '«abcdef»' -v
Proxy-Authorization: Basic «dXNlcjpwYXNz»
Authorization: AWS4-HMAC-SHA256 «Credential=AKIA/x, SignedHeaders=h, Signature=abc»
X-Api-Key: «abc»
-H "X-Api-Key: «abc»"
x-goog-api-key: «abc»
api-key: «abc»
X-Auth-Token: «abc»
X-Vault-Token: «abc»
Ocp-Apim-Subscription-Key: «abc»
Cookie: «a=b; c=d»
Set-Cookie: «session=abc; Path=/»
token bearer «abcdefgh12»
https://«abcdef»@github.com/x
https://«ghp{MIXED}»:«x-oauth-basic»@github.com/x
https://me:«pw»@host/x
git+https://oauth2:«pw»@host/x
postgres://me:«p@ss»@host/db
curl -b "«a=b; c=d»" http://h/
curl -sb «a=b» http://h/
https://user:«p/K»@host/x
https://user:«8080x/p»@host
redis://:«pw»@host:6379
ssh://me:«pw»@host
me:«pw»@host
ftp me:«pw!»@10.0.0.1 done
http://h/x?api_key=«abc»&n=1
http://h/x?n=1&token=«abc»
http://h/x?n=1&key=«abc»#there
https://h/x?X-Amz-Credential=«a%2Fb»&X-Amz-Signature=«abc»&n=1
https://h.blob/x?sv=1&sig=«abc%3D»
https://hooks.slack.com/services/«T0/B0/abc»
https://discord.com/api/webhooks/«123/abc»
the key hf_«{MIXED}» of the hub
hf_«aBcDeFgHiJ»
hf_«{"abcdefgh" * 4}»
ghp_«{MIXED}»
gho_«{MIXED}»
github_pat_«{MIXED}_{MIXED}»
glpat-«abcdefghij_klmno-1»
nvapi-«abcdefghij-klm_no»
sk-«abcdefghijklmnop1»
sk-proj-«abcdefghijklmnop1»
xoxb-«1234567890-abc»
AIza«{MIXED}»
npm_«{MIXED}»
dckr_pat_«{MIXED}»
hvs.«{MIXED}»
tskey-auth-«abcdefgh-1»
gsk_«{MIXED}»
sk_live_«abcdefghijklmnop»
123456789:AA«{MIXED}»
jwt «{JWT}» ends
pass: «hunter2»
pass=«hunter2»
pass: «letmein»
{{"user": "bob", "pass": "«letmein»"}}
user=bob pass='«letmein»'
PASS=«letmein» prog
db_pass=«hunter2»
db_pass: «letmein»
smtpPass: «"hunter2"»
token=«letersonly»
token="«lettersonlyagain»"
token: «lettersandnothingelse»
max_len=5 my_token=«lettersonlyagain»
backend_token='«abc123def456»'
NEXT_AUTH_SECRET=«letmein»
the worker SWMTKN-1-«{"a1b2c" * 10}-{"z9y8x" * 5}» of the swarm
docker swarm join --token «SWMTKN-1-{"a1b2c" * 10}-{"z9y8x" * 5}» x
unlock with SWMKEY-1-«7c37Cc8654o6p38HnroywCi19pllOnGtbdZEgtKxZu8»
wandb login --relogin «{HEX}»
wandb login --host=http://wandb.local --relogin «local-{HEX}»
//registry.npmjs.org/:_authToken=«abcdef»
{{user: bob, pass: «letmein»}}
npm_config__auth=«dXNlcjpwYXNz»
//registry.npmjs.org/:_auth=«dXNlcjpwYXNz»
_auth = «dXNlcjpwYXNz»
npm config set //registry.local/:_authToken «abcdef»
HF_TOKEN="«${{HF_TOKEN:-hunter2}}»"
HF_TOKEN="«${{PREFIX}}hunter2»"
password: «updated-by-hand»
password="«none of it»"
-----BEGIN PRIVATE KEY-----«\\nMIIEvQ\\nabc=\\n»-----END PRIVATE KEY-----
"""
PREFIXES = ("hf_", "ghp_", "gho_", "github_pat_", "glpat-", "nvapi-", "sk-proj-", "sk-", "xoxb-", "AIza",
            "npm_", "SWMTKN-1-", "SWMKEY-1-", "dckr_pat_", "hvs.", "tskey-auth-",
            "gsk_", "sk_live_", "123456789:AA")  # fmt: skip
"""Words that are hidden with what follows them."""


def _rows(table: str) -> list[str]:
    return [line for line in table.split("\n") if line.strip()]


def _halves(row: str) -> tuple[str, str]:
    """The text of a row, and the right answer."""
    hidden = ""
    for at, part in enumerate(row.replace("»", "«").split("«")):
        if at % 2:
            cut = next((p for p in PREFIXES if hidden.endswith(p)), "")
            hidden = hidden[: len(hidden) - len(cut)] + STARS
        else:
            hidden += part
    return row.replace("«", "").replace("»", ""), hidden


@pytest.mark.parametrize("row", _rows(SECRET))
def test_a_secret_is_hidden_and_nothing_else(row: str) -> None:
    text, hidden = _halves(row)
    quotes = str.maketrans("", "", "\"'\\")
    assert redact(text).translate(quotes) == hidden.translate(quotes)
    assert redact(redact(text)) == redact(text)


NONE = f"""
max_tokens=5
MAX_TOKENS=5 PASSWORDLESS=5
total_tokens: 123
Avg prompt throughput: 12.3 tokens/s, generation 3 tokens/s
tokenizer=meta-llama/Llama
--tokenizer-mode auto --tokenizer /models/x
num_tokens=1 num_batched_tokens: 8192
from secret_name import secret_flag
def secret_name(name): return name
image@sha256:{HEX}{HEX[:24]}
vllm-node:latest@sha256:{HEX}{HEX[:24]}
registry.local:5000/vllm@sha256:{HEX}{HEX[:24]}
commit {HEX}
/etc/ssh/ssh_host_ed25519_key.pub and /home/x/keys/key
--api-key-file /run/key
--password-stdin
--password-file /x
HF_TOKEN=None
api_key=None password: null secret=false
password=True
HF_TOKEN=${{HF_TOKEN}}
-e HF_TOKEN=$HF_TOKEN
--api-key $VLLM_API_KEY --port 1
https://${{TOKEN}}@github.com/x
token: {{{{ secrets.GH }}}}
openai/gpt-oss-120b nvidia/DeepSeek-R1-FP4
HF_HUB_ENABLE_HF_TRANSFER=1 hf_transfer hf_hub_download hf_xet_get
256 SHA256:AbCdEfGh0123456789AbCdEfGh0123456789AbCdEfG me@host (ED25519)
http://spark-01:8888/v1/models
http://10.0.0.1:8265
ws://10.0.0.1:10001
ssh admin@spark-01
admin@10.0.0.1:22
me.too@example.org
mailto:me@example.org
token_ids=[1,2] eos_token_id: 2
EOS_TOKEN=2 PAD_TOKEN: 0
bos_token=<|begin|> image_token: <image>
passwordless sudo, password authentication is off
PasswordAuthentication no
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJabcdefghijklmnopqrstuvwxyz0123456789AB me@host
unexpected token: 'endfor'
token: 5
secret: {{
docker build --secret id=hf,src=/x .
docker run -u 1000:1000 --user 1000:1000 -p 8888:8888 image
docker ps -p
ssh -p 22 admin@host
mkdir -p /a/b
docker login registry.local
the key is in the file
api_key: str | None = None
the password: is required
--api-key is refused, put it into VLLM_API_KEY
a task-0123456789abcdef0123 of disk-0123456789abcdef
SparkConsole: asks for --yes=stop
20261130-143523-serve-ab12
sk-learn is no key
1 token, 2 tokens; tokens: 7
password for admin@spark-01
/run/secrets/hf_token
HF_TOKEN_PATH=/root/.cache/huggingface/token
key=value keys=1 --key x
{{"role": "user", "content": "x"}}
author: me authority=x oauth
GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305
x-request-id: abc cache_key=abc primary_key=1
secret is not set; HF_TOKEN is not set; HF_TOKEN: not set
--set HF_TOKEN=…
raylet:12345@spark-01
Cookies are off; the cookie banner
eyJ is no token
passwd: password updated successfully
passwd: password expiry information changed.
passwd: Authentication token manipulation error
passwd: user 'bob' does not exist
passwd: You may not view or modify password information for root.
New password: BAD PASSWORD: it is too short
"pass": "passed"
PASSWORD=%PASSWORD%
password: "${{{{ secrets.PW }}}}"
passwd: all authentication tokens updated successfully.
chpasswd: unrecognized option '-x'
usage: serve [--api-key API_KEY] [--hf-token [HF_TOKEN]] [--password PASSWORD]
--api-key API_KEY [API_KEY ...] --auth-token=AUTH_TOKEN
api_key: Optional[str] = None
def login(hf_token: typing.Union[str, None] = None, password: "str" = ""):
api_key: list[str] = field(default_factory=list)
api_key: str|None = None; api_key: SecretStr
pub api_key: Option<String>,
HF_TOKEN="${{HF_TOKEN}}"
HF_TOKEN='${{HF_TOKEN}}'
-e HF_TOKEN="$HF_TOKEN" --api-key "$1"
HF_TOKEN="${{HF_TOKEN:-}}" HF_TOKEN=${{HF_TOKEN:?unset}}
password: "{{{{ vault_password }}}}"
token: null
hf_token: "null"
api_key='' password: ~
max_token=abcdefgh1
max_token=… max_token=auto
eos_token='</s>'
EOS_TOKEN='</s>'
"eosToken": "</s>"
next_token='abc123def456'
think_start_token: <think1>
tokens: 128
TOKENS: 128 hf_tokens: 128
ChatCompletionToken(token='understanding')
token: internationalized
first pass: layers
PASS: test_7
forward_pass: 12ms post_grad_custom_post_pass=x
self._auth = None
npm:left-pad@1.2.3
HF_TOKEN_FILE=/x API_KEY_NAME=x TOKEN_LIMIT=x
GOOGLE_APPLICATION_CREDENTIALS=/root/key.json
INVALID CREDENTIALS: somebody
max_tokens_2=abc two_pass_1: done custom_pass_1: done
hf_oauth_callback hf_jwt_verify
Basic authentication, Basic Qwen3ForCausalLM, basic Qwen3ForCausalLMs
sk-bratislava-rack-01 sk-learn-something-very-long-name
master_key=rank0 MASTER_KEY: node-1
--no-secret foo --no-password foo
http://h/page?auth=none&token=null
password={{ vault_password }} and password={{name}}
api_key: !secret hf_token1
usage: <password> <token>
<password></password> <token>${{TOKEN}}</token>
curl --cookie jar.txt -b jar.txt http://h/
http://h:8080/a@b http://h:80-90/a@b http://h:$PORT/a@b http://h/a:b/c
docker -H x run -p 8888:80 image
docker -H x login registry.local
curl -sSL -o out http://h:80/
mysql -uroot -p -h db
curl -H "Authorization: Bearer" http://h/ -v
echo HF_TOKEN = None
tell me the password: it is off
Authorization: is off
"""


@pytest.mark.parametrize("row", _rows(NONE))
def test_what_only_looks_like_one_stays(row: str) -> None:
    assert redact(row) == row
    assert redact_words(row.split()) == tuple(row.split())


LINES = """
HF_TOKEN="$(cat /run/secrets/hf)"
HF_TOKEN=${HF_TOKEN:?say it}
token=args.hf_token, token=get_the_token()
pass 1: done, pass: 12, pass=2/3, pass: ok, pass=12ms
TOKEN1=5
--db-pass DB_PASS, --auth-token=AUTH_TOKEN, [--api-key KEY]
"""


@pytest.mark.parametrize("row", _rows(LINES))
def test_a_line_that_is_no_argv_stays(row: str) -> None:
    assert redact(row) == row


def test_the_tables_are_as_long_as_they_ought_to_be() -> None:
    assert len(_rows(SECRET)) >= 100
    assert len(_rows(NONE)) >= 50


@pytest.mark.parametrize("name", ["README.md", "docs/reference.md", "docs/console.md", "docs/words.md"])
def test_nothing_that_this_project_says_of_itself_is_hidden(name: str) -> None:
    changed = [row for row in (ROOT / name).read_text("utf-8").splitlines() if redact(row) != row]
    assert changed == []


WORDS = [
    ("serve M -- --api_key K", "serve M -- --api_key ***"),
    ("serve M -- --api-ke=K", "serve M -- --api-ke=***"),
    ("launch -e HF_TOKEN=a=b", "launch -e HF_TOKEN=***"),
    ("launch -eHF_TOKEN=a", "launch -eHF_TOKEN=***"),
    ("launch --env=DB_PASS=a", "launch --env=DB_PASS=***"),
    ("sparkconsole --set MY_PASSWORD=a", "sparkconsole --set MY_PASSWORD=***"),
    ("docker login -u x -p y", "docker login -u x -p ***"),
    ("sshpass -p y ssh n", "sshpass -p *** ssh n"),
    ("mkdir -p y", "mkdir -p y"),
    ("podman login -u x -p y host", "podman login -u x -p *** host"),
    ("curl -u me:y http://h", "curl -u me:*** http://h"),
    ("mysql -uroot -py db", "mysql -uroot -p*** db"),
    ("redis-cli -h h -a y ping", "redis-cli -h h -a *** ping"),
    (f"wandb login --relogin {HEX}", "wandb login --relogin ***"),
    ("npm config set //r/:_authToken y", "npm config set //r/:_authToken ***"),
    ("vllm serve --hf-token --port 1", "vllm serve --hf-token --port 1"),
    ("curl -H X-Api-Key: K http://h", "curl -H X-Api-Key: *** http://h"),
    ("curl -H Authorization: Bearer K http://h", "curl -H Authorization: Bearer *** http://h"),
    ("curl -H Proxy-Authorization: K -v", "curl -H Proxy-Authorization: *** -v"),
    ("curl -H Cookie: a=b; c=d http://h", "curl -H Cookie: *** *** http://h"),
    ("echo HF_TOKEN = K", "echo HF_TOKEN = ***"),
    ("echo db_pwd: K and more", "echo db_pwd: *** and more"),
    ("docker -H x login -u u -p K", "docker -H x login -u u -p ***"),
    ("curl -su u:K http://h", "curl -su u:*** http://h"),
    ("env HF_TOKEN= python x", "env HF_TOKEN= python x"),
    ("echo secret => K", "echo secret => ***"),
    ("serve M --api-key None", "serve M --api-key None"),
]


@pytest.mark.parametrize(("words", "hidden"), WORDS)
def test_an_argv_keeps_its_words_but_for_secrets(words: str, hidden: str) -> None:
    assert " ".join(redact_words(words.split())) == hidden


def test_a_word_with_spaces_is_hidden_whole() -> None:
    words = ("launch", "--env=HF_TOKEN=a b", "MY_API_KEY=c d", "--password", "e f")
    assert redact_words(words) == (
        "launch",
        "--env=HF_TOKEN=***",
        "MY_API_KEY=***",
        "--password",
        "***",
    )


def test_a_password_with_blanks_is_one_word_of_an_argv() -> None:
    assert redact_words(("curl", "-u", "u:ab K", "http://h")) == ("curl", "-u", "u:***", "http://h")
    assert redact_words(("mysql", "-pK x", "db")) == ("mysql", "-p***", "db")
    assert redact_words(("docker", "login", "-p", "it's K", "h")) == ("docker", "login", "-p", "***", "h")
    assert redact_words(("sh", "-c", "docker  login -p\tK")) == ("sh", "-c", "docker  login -p\t***")


@pytest.mark.parametrize("name", ["Authorization: Bearer", "X-Api-Key:", "Authorization: ", "HF_TOKEN:"])
@pytest.mark.parametrize("value", ["Zq7xW2pLk9vT", "Zq7x W2pL"])
def test_a_header_in_words_of_blanks_awaits_its_value(name: str, value: str) -> None:
    assert redact_words(("curl", "-H", name, value, "http://h")) == ("curl", "-H", name, STARS, "http://h")


def test_data_hides_by_its_keys_and_keeps_its_shape() -> None:
    data = {"token": "abc", "n": 1, "rows": [{"apiKey": "x", "argv": ["--api_key", "K"]}], "tokens": "7"}
    hidden = {
        "token": "***",
        "n": 1,
        "rows": [{"apiKey": "***", "argv": ["--api_key", "***"]}],
        "tokens": "7",
    }
    assert redact_data(data) == hidden


def test_what_stands_under_a_secret_key_is_hidden_however_deep() -> None:
    data = {"api_keys": ["a", {"b": "c", "n": 1}], "password": {"old": "x", "new": ["y"]}, "names": ["a"]}
    hidden = {"api_keys": ["***", {"b": "***", "n": 1}], "password": {"old": "***", "new": ["***"]}}
    assert redact_data(data) == {**hidden, "names": ["a"]}


def test_a_name_and_its_value_beside_it_are_a_pair() -> None:
    data = {"env": [{"name": "HF_TOKEN", "value": "K"}, {"name": "HOME", "value": "/root"}]}
    hidden = {"env": [{"name": "HF_TOKEN", "value": "***"}, {"name": "HOME", "value": "/root"}]}
    assert redact_data(data) == hidden
    assert redact_data({"Key": "DB_PASS", "Value": "K"}) == {"Key": "DB_PASS", "Value": "***"}


def test_headers_in_data_are_hidden_by_their_names() -> None:
    data = {"authorization": "K", "Cookie": "a", "set-cookie": ["b"], "author": "me", "cookies": 2}
    assert redact_data(data) == {
        "authorization": "***", "Cookie": "***", "set-cookie": ["***"], "author": "me", "cookies": 2
    }  # fmt: skip


def test_addresses_that_are_keys_lose_their_passwords_and_stay_two() -> None:
    data = {"https://me:pw@host/": 1, "https://me:other@host/": 2, "https://host/": 3}
    assert redact_data(data) == {"https://me:***@host/": 1, "https://me:***@host/ (2)": 2, "https://host/": 3}


JSON_WORDS = [
    ('{"token": "a \\"K"}', '{"token": "***"}'),
    ('{"env":[{"name":"HF_TOKEN","value":"K"}],"n":1}', '{"env":[{"name":"HF_TOKEN","value":"***"}],"n":1}'),
    ('{"a":  [1, 2.50]}', '{"a":  [1, 2.50]}'),
    ('["a", {"n": 1}]', '["a", {"n": 1}]'),
    ('{"a": ', '{"a": '),
    ("[" * 100_000 + '"', "[" * 100_000 + '"'),
]


@pytest.mark.parametrize(("word", "hidden"), JSON_WORDS, ids=range(len(JSON_WORDS)))
def test_a_word_of_json_hides_as_data_does(word: str, hidden: str) -> None:
    assert redact_words(("serve", word)) == ("serve", hidden)


BLOCKS = [
    (
        "a:\n  password: |\n    Zq7x W2p\n\n    Lk9\n  user: me",
        "a:\n  password: |\n    ***\n\n    ***\n  user: me",
    ),
    ("api_key: >-\n  Zq7x\nnext: 1", "api_key: >-\n  ***\nnext: 1"),
    ("- token: !vault |\n    $ANSIBLE\n- b", "- token: !vault |\n    ***\n- b"),
    ("notes: |\n  plain words", "notes: |\n  plain words"),
    ("token_file: |\n  plain words", "token_file: |\n  plain words"),
]


@pytest.mark.parametrize(("text", "hidden"), BLOCKS)
def test_a_block_of_yaml_is_hidden_to_its_end(text: str, hidden: str) -> None:
    assert redact(text) == hidden
    assert "\n".join(map(LineRedactor(), text.split("\n"))) == hidden


KEY = [
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "b3BlbnNz" * 8 + "aC1rZXkt",
    "QUJDRA==",
    "-----END OPENSSH PRIVATE KEY-----",
]


@pytest.mark.parametrize("before", ["", "spark-01 ", "2026-01-31T12:00:00Z spark-01 "])
def test_a_private_key_is_hidden_over_its_lines_and_no_line_after_it(before: str) -> None:
    line = LineRedactor()
    said = [line(before + text) for text in (*KEY, "done")]
    assert said == [before + text for text in (KEY[0], STARS, STARS, KEY[-1], "done")]
    assert redact("\n".join(KEY)) == "\n".join((KEY[0], STARS, STARS, KEY[-1]))


@pytest.mark.parametrize(("before", "after"), [('"', '",'), ("'", "' \\"), ('  "', '\\n" +'), ('"', '\\n"')])
def test_a_private_key_in_quoted_lines_is_hidden(before: str, after: str) -> None:
    shown = redact("\n".join(before + text + after for text in KEY))
    assert KEY[1] not in shown
    assert KEY[2] not in shown
    assert shown.count(STARS) >= 2


def test_a_private_key_behind_a_tab_is_hidden() -> None:
    key = ("-----BEGIN\tPRIVATE KEY-----", *KEY[1:])
    assert redact("\n".join(key)) == "\n".join((key[0], STARS, STARS, KEY[-1]))
    assert redact(f"{key[0]}MIIE{KEY[-1]}") == f"{key[0]}{STARS}{KEY[-1]}"


def test_a_key_that_is_cut_off_hides_no_sentence_behind_it() -> None:
    line = LineRedactor()
    assert [line(text) for text in (*KEY[:2], "the node is gone", "done")][2:] == ["the node is gone", "done"]


def test_what_was_learned_is_hidden_wherever_it_stands() -> None:
    learn_environment({"MY_TOKEN": "plain words", "OTHER_TOKEN": "short", "HOME": "/home/somebody"})
    learn_words(("launch", "-e", "DB_PASSWORD=it's", "--set", "X_SECRET=four", "--api_key", "key0"))
    text = "plain words, short, /home/somebody, it's 'it'\"'\"'s' four key0"
    assert redact(text) == "***, short, /home/somebody, *** '***' *** ***"


@pytest.mark.parametrize("value", ["true", "None", "${HF_TOKEN}", "abc", ""])
def test_what_is_no_secret_is_not_learned(value: str) -> None:
    learn((value,))
    assert redact(f"so {value} is") == f"so {value} is"


def test_a_long_name_of_parts_ends_in_a_secret() -> None:
    long = "A_" * 20_000
    assert redact(f"{long}TOKEN=abcdef") == f"{long}TOKEN=***"
    assert redact(long) == long


@pytest.mark.parametrize(
    "name", ["TOKEN", "HF_TOKEN", "A_1_API_KEY", "api_key", "my_secret", "hf_token", "my_TOKEN", "HF-TOKEN",
             "token", "apiKey", "X-Api-Key", "PGPASSWORD", "DB_PASS", "1_TOKEN", "clientSecret",
             "HF_TOKEN_2", "TOKEN1", "API_KEYS", "API_KEY_PROD", "PASSWORD2", "CREDENTIALS",
             "db_pass", "pass", "_auth", "_authToken", "IMAGE_PULL_SECRET", "backend_token"],
)  # fmt: skip
def test_a_name_that_holds_a_secret(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize(
    "name", ["TOKENS", "keys", "tokenizer", "max_tokens", "eos_token", "EOS_TOKEN", "PWD", "OLDPWD",
             "HF_TOKEN_PATH", "secret_name", "passwordless", "node", "key", "eosToken", "pad-token",
             "API_KEY_FILE", "TOKEN_LIMIT", "GOOGLE_APPLICATION_CREDENTIALS",
             "forward_pass", "auth", "basic_auth"],
)  # fmt: skip
def test_a_name_that_holds_none(name: str) -> None:
    assert not secret_name(name)


@pytest.mark.parametrize(
    "word", ["--api-key", "--api_key", "--api-ke", "--hf_token", "--hf-to", "--password", "-token"]
)
def test_a_flag_before_a_secret(word: str) -> None:
    assert secret_flag(word)


@pytest.mark.parametrize(
    "word", ["--tokenizer", "--api-key-file", "--api", "--hf-overrides", "--port", "api-key"]
)
def test_a_flag_before_none(word: str) -> None:
    assert not secret_flag(word)


@pytest.mark.parametrize("at", range(len(redacting.shapes())))
def test_every_shape_is_linear_and_found_by_its_signs(at: int) -> None:
    signs, pattern = redacting.shapes()[at]
    for ask in Place("", pattern, {"finditer"}).asked():
        assert [p for p in spread(pumps(pattern), 400) if growth(ask, p, 2_560) > LINEAR] == []
    assert all(sign == sign.lower() for sign in signs)


def test_colours_between_a_name_and_its_value_hide_no_secret() -> None:
    """`grep --color=always`, kept and printed as JSON."""
    text = "MY_\x1b[01;31m\x1b[KTOKEN\x1b[m\x1b[K=s3cretvalue77 and \x1b[1mplain\x1b[0m"
    assert redact_data({"stdout": text}) == {"stdout": "MY_TOKEN=*** and plain"}
