#!/usr/bin/env bash
# The HTTP port as others reach it: TLS from outside, plain from loopback alone; entries for members and tokens; witnessing by pinned TLS.
# shellcheck source=test/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
outside=$(python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    s.connect(("192.0.2.1", 9))
    print(s.getsockname()[0])
except OSError:
    print("")')
case $outside in 127.* | "") outside= ;; esac

get() { # URL [HEADER or CERT KEY]: prints the status
	python3 - "$@" <<'EOF'
import ssl, sys, urllib.request, urllib.error
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
request = urllib.request.Request(sys.argv[1])
if len(sys.argv) == 3:
    request.add_header(*sys.argv[2].split(": ", 1))
if len(sys.argv) == 4:
    context.load_cert_chain(sys.argv[2], sys.argv[3])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
try:
    print(opener.open(request, timeout=5).status)
except urllib.error.HTTPError as e:
    print(e.code)
except OSError as e:
    print("none", e)
EOF
}
status() { local want=$1; shift; [ "$(get "$@")" = "$want" ]; }
skip() { tests=$((tests + 1)); echo "ok $tests - $1 # SKIP $2"; }
stop() { kill -TERM "${pid_of[$1]}" && wait "${pid_of[$1]}"; }
cosigned() { at "$1" status --json | python3 -c 'import json,sys; s=json.load(sys.stdin)["ledger"]; sys.exit(s["cosigned"] != 2)'; }

read -ra ports < <(free_ports 6)
i=0
for org in hudson registry skywatch; do
	at "$org" init --org "$org" --listen "127.0.0.1:${ports[$((2 * i))]}" --http "*:${ports[$((2 * i + 1))]}" --advertise-http "${outside:-127.0.0.1}" >/dev/null
	at "$org" card >"$work/$org.card"
	i=$((i + 1))
done
for org in hudson registry skywatch; do
	for other in hudson registry skywatch; do [ "$other" = "$org" ] || at "$org" trust "$work/$other.card" >/dev/null; done
done
for org in hudson registry skywatch; do check "$org starts" start "$org"; done
http=${ports[1]}
at hudson ledger note "witness me" >/dev/null
check "both others witness by TLS with pinned keys" until_true 20 cosigned hudson

entries=/tile/entries/000.p/1
tls=https://127.0.0.1:$http
check "loopback, plain: checkpoint" status 200 "http://127.0.0.1:$http/checkpoint"
check "loopback, plain: entries" status 200 "http://127.0.0.1:$http$entries"
check "loopback, IPv6: the wildcard means both families" status 200 "http://[::1]:$http/checkpoint"
check "TLS: checkpoint for everybody" status 200 "$tls/checkpoint"
check "TLS: hash tiles for everybody" status 200 "$tls/tile/0/000.p/1"
check "TLS: no entries for a stranger" status 403 "$tls$entries"
check "the API is not there" status 404 "$tls/v1/status"
token=$(at hudson token auditor)
check "a token is made while the node runs" test "${#token}" -gt 40
check "TLS: entries with the token" status 200 "$tls$entries" "Authorization: Bearer $token"
check "TLS: none with another" status 403 "$tls$entries" "Authorization: Bearer ${token%?}x"
check "another member's ledger does not know it" status 403 "https://127.0.0.1:${ports[3]}$entries" "Authorization: Bearer $token"
check "only its hash is kept, for us alone" bash -c "[ \$(stat -c %a '$work/hudson/secrets/read-tokens') = 600 ] && ! grep -q '${token#ent_}' '$work/hudson/secrets/read-tokens'"
check "it is listed by name" bash -c "'$ENTENTE' -C '$work/hudson' token --json | grep -q auditor"
at hudson token --remove auditor 2>/dev/null
check "TLS: none once it is taken back" status 403 "$tls$entries" "Authorization: Bearer $token"
check "no log holds it" bash -c "! grep -rq '${token#ent_}' '$work/hudson'"

if command -v openssl >/dev/null; then
	pem() { # ORG FILE: its tls key as PKCS #8
		{
			echo "-----BEGIN PRIVATE KEY-----"
			python3 -c 'import base64,sys; print(base64.b64encode(bytes.fromhex("302e020100300506032b657004220420" + open(sys.argv[1]).read().strip())).decode())' "$work/$1/keys/tls"
			echo "-----END PRIVATE KEY-----"
		} >"$2"
		openssl req -x509 -new -key "$2" -subj "/CN=$1" -days 1 -out "$2.crt" 2>/dev/null
	}
	pem registry "$work/member.pem"
	openssl genpkey -algorithm ed25519 -out "$work/other.pem" 2>/dev/null
	openssl req -x509 -new -key "$work/other.pem" -subj "/CN=registry" -days 1 -out "$work/other.pem.crt" 2>/dev/null
	check "TLS: entries with a member's certificate" status 200 "$tls$entries" "$work/member.pem.crt" "$work/member.pem"
	check "TLS: none with another key in its name" status 403 "$tls$entries" "$work/other.pem.crt" "$work/other.pem"
	at hudson untrust registry >/dev/null 2>&1
	check "TLS: none once it is no member" status 403 "$tls$entries" "$work/member.pem.crt" "$work/member.pem"
else
	skip "a member's certificate" "openssl is not installed"
fi
if [ -n "$outside" ]; then
	check "from outside, plain: nothing" status 403 "http://$outside:$http/checkpoint"
	check "from outside, TLS: checkpoint" status 200 "https://$outside:$http/checkpoint"
	check "from outside, TLS: no entries" status 403 "https://$outside:$http$entries"
else
	skip "from outside" "this machine has loopback only"
fi
stop hudson
echo "http_local_open = no" >>"$work/hudson/entente.conf"
check "starts with plain HTTP closed" start hudson
check "loopback, plain: nothing" status 403 "http://127.0.0.1:$http/checkpoint"
check "loopback, TLS: checkpoint" status 200 "$tls/checkpoint"
