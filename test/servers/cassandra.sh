#!/usr/bin/env bash
# A throw-away Apache Cassandra node for tests, from Maven's jars: user and password cassandra, CQL with and without TLS on one loopback port.
#   cassandra.sh install               fetches the jars (66 MB) into SERVERS_CACHE
#   cassandra.sh present           exit 0 when that was done
#   cassandra.sh start FOLDER PORT     prints "ready ..."; FOLDER/ca.crt signs its certificate for localhost and 127.0.0.1
#   cassandra.sh kill FOLDER           as a crash would; start brings its data back
#   cassandra.sh stop FOLDER
# CASSANDRA_HEAP (512m), CASSANDRA_TIMEOUT_MS (10000): patience of the server with itself. The storage port is the one after PORT.
# shellcheck disable=SC2034 # read by jvm-lib.sh
NAME=cassandra
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=jvm-lib.sh
. "$here/jvm-lib.sh"
version=5.0.6
lib=$cache/cassandra-$version

certificate() { # FOLDER
	local f=$1
	"$here/certificate.sh" "$f"
	openssl pkcs12 -export -in "$f/server.crt" -inkey "$f/server.key" -name server -passout pass:test-store -out "$f/server.p12"
}

configure() { # FOLDER PORT
	local f=$1 ms=${CASSANDRA_TIMEOUT_MS:-10000}
	cat >"$f/cassandra.yaml" <<-YAML
		cluster_name: entente test
		partitioner: org.apache.cassandra.dht.Murmur3Partitioner
		endpoint_snitch: SimpleSnitch
		num_tokens: 4
		listen_address: 127.0.0.1
		rpc_address: 127.0.0.1
		native_transport_port: $2
		storage_port: $(($2 + 1))
		seed_provider: [{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: "127.0.0.1:$(($2 + 1))"}]}]
		authenticator: PasswordAuthenticator
		authorizer: CassandraAuthorizer
		role_manager: CassandraRoleManager
		client_encryption_options: {enabled: true, optional: true, keystore: $f/server.p12, keystore_password: test-store, store_type: PKCS12}
		data_file_directories: [$f/data]
		commitlog_directory: $f/commitlog
		saved_caches_directory: $f/saved_caches
		hints_directory: $f/hints
		cdc_raw_directory: $f/cdc_raw
		commitlog_sync: group
		commitlog_sync_group_window: 5ms
		commitlog_segment_size: 8MiB
		memtable_heap_space: 96MiB
		memtable_offheap_space: 32MiB
		key_cache_size: 4MiB
		file_cache_size: 32MiB
		networking_cache_size: 16MiB
		concurrent_reads: 4
		concurrent_writes: 64 # each waits for its group's sync
		concurrent_compactors: 1
		read_request_timeout: ${ms}ms
		write_request_timeout: ${ms}ms
		range_request_timeout: ${ms}ms
		truncate_request_timeout: 60000ms
		auto_snapshot: false
	YAML
	cat >"$f/logback.xml" <<-'XML'
		<configuration><appender name="OUT" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%d{HH:mm:ss.SSS} %-5level %logger{0} %msg%n</pattern></encoder></appender>
		<root level="INFO"><appender-ref ref="OUT"/></root></configuration>
	XML
}

start() { # FOLDER PORT
	installed "$lib" || fail "not installed: $0 install"
	mkdir -p "$1"
	local f heap=${CASSANDRA_HEAP:-512m} name options=()
	f=$(cd "$1" && pwd)
	[ -f "$f/server.p12" ] || certificate "$f"
	configure "$f" "$2"
	# what Cassandra itself asks of a JDK 17
	for name in java.base/jdk.internal.{misc,ref} java.base/sun.nio.ch java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.{registry,server} \
		java.sql/java.sql jdk.unsupported/sun.misc; do
		options+=(--add-exports "$name=ALL-UNNAMED")
	done
	for name in java.base/java.{io,lang,nio,util} java.base/java.lang.{module,reflect} java.base/java.util.concurrent{,.atomic} \
		java.base/jdk.internal.{loader,math,module,ref,reflect} java.base/jdk.internal.util.jar java.base/sun.nio.ch java.rmi/sun.rmi.transport.tcp \
		jdk.management/com.sun.management.internal; do
		options+=(--add-opens "$name=ALL-UNNAMED")
	done
	cd "$f" || exit
	launch "$f" cassandra java "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:MaxDirectMemorySize=192m -Xss512k \
		-javaagent:"$(echo "$lib"/jamm-*.jar)" "${options[@]}" -Djdk.attach.allowAttachSelf=true -Djava.net.preferIPv4Stack=true \
		-Dcassandra.config="file://$f/cassandra.yaml" -Dcassandra.storagedir="$f" -Dcassandra.logdir="$f" -Dlogback.configurationFile="file://$f/logback.xml" \
		-Dcassandra-foreground=yes -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=0 -Dcassandra.superuser_setup_delay_ms=0 \
		-cp "$lib/*" org.apache.cassandra.service.CassandraDaemon
	await "$f" cassandra 'Starting listening for CQL clients'
	await_ready "$f" cassandra "$2" # a new cluster makes its first role after it listens, and refuses its password until then
	echo "ready cassandra://cassandra@127.0.0.1:$2"
}

crash() { # FOLDER
	local pid
	pid=$(cat "$1/cassandra.pid")
	kill -KILL "$pid"
	while alive "$pid"; do sleep 0.05; done
	rm -f "$1/cassandra.pid"
}

case "${1:-}/$#" in
install/1) jars "$lib" "org.apache.cassandra:cassandra-all:$version" ;;
present/1) installed "$lib" ;;
start/3) start "$2" "$3" ;;
kill/2) crash "$2" ;;
stop/2) halt "$2" cassandra ;;
*) fail "usage: cassandra.sh install | present | start FOLDER PORT | kill FOLDER | stop FOLDER" ;;
esac
