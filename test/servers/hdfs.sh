#!/usr/bin/env bash
# A throw-away HDFS for tests, from Maven's jars: a NameNode and two DataNodes on 127.0.0.1, WebHDFS with and without TLS, no permissions.
#   hdfs.sh install               fetches the jars (64 MB) into SERVERS_CACHE
#   hdfs.sh present               exit 0 when that was done
#   hdfs.sh start FOLDER PORT     prints "ready ..."; WebHDFS listens on PORT, with TLS on PORT+2, the others on the 9 ports behind; FOLDER/ca.crt
#                                 signs the certificates for localhost and 127.0.0.1
#   hdfs.sh kill FOLDER LABEL     as a crash would: namenode, datanode1, datanode2
#   hdfs.sh stop FOLDER
# Blocks are small (HDFS_BLOCK, 1 MiB), so that files of a test have several; a DataNode counts as dead after 14 seconds.
# shellcheck disable=SC2034 # read by jvm-lib.sh
NAME=hdfs
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=jvm-lib.sh
. "$here/jvm-lib.sh"
version=3.4.1
lib=$cache/hdfs-$version

fetch() { # the client is a dependency that the server expects to find; Maven alone would choose a jackson-core older than its sisters
	jars "$lib" "org.apache.hadoop:hadoop-common:$version" "org.apache.hadoop:hadoop-hdfs:$version" "org.apache.hadoop:hadoop-hdfs-client:$version" \
		com.fasterxml.jackson.core:jackson-core:2.12.7
}

xml() { # NAME=VALUE...: a configuration
	local pair
	echo '<configuration>'
	for pair in "$@"; do echo "<property><name>${pair%%=*}</name><value>${pair#*=}</value></property>"; done
	echo '</configuration>'
}

certificate() { # FOLDER
	"$here/certificate.sh" "$1"
	openssl pkcs12 -export -in "$1/server.crt" -inkey "$1/server.key" -name server -passout pass:test-store -out "$1/server.p12"
	keytool -importcert -noprompt -alias ca -file "$1/ca.crt" -keystore "$1/ca.p12" -storetype PKCS12 -storepass test-store 2>/dev/null
}

configure() { # FOLDER LABEL PORT [DATANODE_PORT]
	local f=$1 own=$1/$2 port=$3 mine=() web
	for web in hdfs datanode static; do mkdir -p "$own/webapps/$web"; done # pages that the jars lack and the servers insist on
	[ -z "${4-}" ] || mine=("dfs.datanode.http.address=127.0.0.1:$4" "dfs.datanode.address=127.0.0.1:$(($4 + 1))"
		"dfs.datanode.ipc.address=127.0.0.1:$(($4 + 2))" "dfs.datanode.https.address=127.0.0.1:$(($4 + 3))")
	xml "fs.defaultFS=hdfs://127.0.0.1:$((port + 1))" "hadoop.tmp.dir=$own/tmp" >"$own/core-site.xml"
	xml "dfs.namenode.name.dir=file://$own/name" "dfs.datanode.data.dir=file://$own/data" "dfs.namenode.http-address=127.0.0.1:$port" \
		"dfs.namenode.https-address=127.0.0.1:$((port + 2))" dfs.http.policy=HTTP_AND_HTTPS dfs.namenode.datanode.registration.ip-hostname-check=false \
		dfs.datanode.hostname=127.0.0.1 dfs.namenode.safemode.extension=0 dfs.namenode.fs-limits.min-block-size=1024 \
		"dfs.blocksize=${HDFS_BLOCK:-1048576}" dfs.replication=2 dfs.heartbeat.interval=1 dfs.namenode.heartbeat.recheck-interval=2000 \
		dfs.client.block.write.replace-datanode-on-failure.policy=NEVER dfs.permissions.enabled=false dfs.namenode.handler.count=4 \
		dfs.datanode.handler.count=4 "${mine[@]}" >"$own/hdfs-site.xml"
	xml "ssl.server.keystore.location=$f/server.p12" ssl.server.keystore.type=pkcs12 ssl.server.keystore.password=test-store \
		ssl.server.keystore.keypassword=test-store "ssl.server.truststore.location=$f/ca.p12" ssl.server.truststore.type=pkcs12 \
		ssl.server.truststore.password=test-store >"$own/ssl-server.xml"
	xml "ssl.client.truststore.location=$f/ca.p12" ssl.client.truststore.type=pkcs12 ssl.client.truststore.password=test-store >"$own/ssl-client.xml"
	printf '%s\n' log4j.rootLogger=INFO,out log4j.appender.out=org.apache.log4j.ConsoleAppender \
		log4j.appender.out.layout=org.apache.log4j.PatternLayout 'log4j.appender.out.layout.ConversionPattern=%d{ABSOLUTE} %-5p %c{2}: %m%n' \
		>"$own/log4j.properties"
}

java_of() { # FOLDER LABEL CLASS ARGUMENT...
	local own=$1/$2
	shift 2
	command=(java "-Xmx${HDFS_HEAP:-192m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss512k --add-opens java.base/java.lang=ALL-UNNAMED
		-Djava.net.preferIPv4Stack=true -cp "$own:$lib/*" "org.apache.hadoop.hdfs.server.$1" "${@:2}")
}

start() { # FOLDER PORT
	installed "$lib" || fail "not installed: $0 install"
	mkdir -p "$1"
	local f i label command fresh=()
	f=$(cd "$1" && pwd)
	[ -f "$f/ca.p12" ] || certificate "$f"
	cd "$f" || exit
	configure "$f" namenode "$2"
	if [ ! -d "$f/namenode/name/current" ]; then
		java_of "$f" namenode namenode.NameNode -format -nonInteractive
		"${command[@]}" >"$f/format.log" 2>&1 || { tail -n 20 "$f/format.log" >&2; fail "the NameNode cannot be formatted"; }
	fi
	java_of "$f" namenode namenode.NameNode
	[ -s "$f/namenode.pid" ] || launch "$f" namenode "${command[@]}"
	for i in 1 2; do
		configure "$f" "datanode$i" "$2" $(($2 + 4 * i - 1))
		java_of "$f" "datanode$i" datanode.DataNode
		if [ ! -s "$f/datanode$i.pid" ]; then
			launch "$f" "datanode$i" "${command[@]}"
			fresh+=("datanode$i")
		fi
	done
	for label in "${fresh[@]}"; do # the NameNode counts a DataNode that died as alive for a while: each must say that it is back
		await "$f" "$label" 'successfully registered with NN'
	done
	await_ready "$f" namenode "$2" 2
	echo "ready hdfs://127.0.0.1:$2/?tls=off"
}

crash() { # FOLDER LABEL
	local pid
	pid=$(cat "$1/$2.pid")
	kill -KILL "$pid"
	while alive "$pid"; do sleep 0.05; done
	rm -f "$1/$2.pid"
}

stop() { # FOLDER
	local label
	for label in datanode1 datanode2 namenode; do halt "$1" "$label"; done
}

case "${1:-}/$#" in
install/1) fetch ;;
present/1) installed "$lib" ;;
start/3) start "$2" "$3" ;;
kill/3) crash "$2" "$3" ;;
stop/2) stop "$2" ;;
*) fail "usage: hdfs.sh install | present | start FOLDER PORT | kill FOLDER LABEL | stop FOLDER" ;;
esac
