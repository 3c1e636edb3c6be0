#!/usr/bin/env bash
# A throw-away Apache HBase for tests, from Maven's jars: master, region server and ZooKeeper in one process, its data in a folder; beside it the
# Thrift2 server (framed, binary) that entente talks to. All on the loopback address, without TLS: that server has none (see tls-front.py).
#   hbase.sh install               fetches the jars (110 MB) into SERVERS_CACHE
#   hbase.sh present               exit 0 when that was done
#   hbase.sh start FOLDER PORT     prints "ready ..."; PORT is Thrift2's, the three after it are HBase's own
#   hbase.sh kill FOLDER           the Thrift2 server goes as in a crash; start brings it back, the tables are where they were
#   hbase.sh stop FOLDER
# HBASE_HEAP (512m).
# shellcheck disable=SC2034 # read by jvm-lib.sh
NAME=hbase
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=jvm-lib.sh
. "$here/jvm-lib.sh"
version=2.6.1 # of the releases, few have their Thrift server at Maven
lib=$cache/hbase-$version

configure() { # FOLDER PORT
	local f=$1 p=$2 pair
	local settings=(
		hbase.rootdir="file://$f/data"
		hbase.tmp.dir="$f/tmp"
		hbase.cluster.distributed=false
		hbase.unsafe.stream.capability.enforce=false # a local folder cannot promise what HDFS can
		hbase.wal.provider=filesystem
		hbase.zookeeper.quorum=127.0.0.1
		hbase.zookeeper.property.clientPort=$((p + 1))
		hbase.zookeeper.property.clientPortAddress=127.0.0.1
		hbase.zookeeper.property.dataDir="$f/zookeeper"
		hbase.zookeeper.property.admin.enableServer=false
		zookeeper.recovery.retry=0 # when all stops, ZooKeeper goes first: nobody waits for it
		hbase.master.port=$((p + 2))
		hbase.regionserver.port=$((p + 3))
		hbase.master.ipc.address=127.0.0.1
		hbase.regionserver.ipc.address=127.0.0.1
		hbase.master.hostname=localhost
		hbase.unsafe.regionserver.hostname=localhost
		hbase.master.info.port=-1
		hbase.regionserver.info.port=-1
		hbase.thrift.info.port=-1
		hbase.regionserver.handler.count=8
		hbase.master.handler.count=4
		hbase.regionserver.thrift.framed=true
		hbase.thrift.minWorkerThreads=4
	)
	mkdir -p "$f/conf" "$f/tmp"
	{
		echo '<configuration>'
		for pair in "${settings[@]}"; do
			printf '<property><name>%s</name><value>%s</value></property>\n' "${pair%%=*}" "${pair#*=}"
		done
		echo '</configuration>'
	} >"$f/conf/hbase-site.xml"
	cat >"$f/conf/log4j.properties" <<-'LOG'
		log4j.rootLogger=INFO,OUT
		log4j.appender.OUT=org.apache.log4j.ConsoleAppender
		log4j.appender.OUT.layout=org.apache.log4j.PatternLayout
		log4j.appender.OUT.layout.ConversionPattern=%d{ABSOLUTE} %-5p %c{1} %m%n
	LOG
}

hbase() { # FOLDER LABEL HEAP CLASS ARGS...
	local f=$1 label=$2 heap=$3 name options=()
	shift 3
	for name in java.lang{,.reflect} java.nio java.util{,.concurrent} jdk.internal.ref sun.nio.ch; do
		options+=(--add-opens "java.base/$name=ALL-UNNAMED")
	done
	launch "$f" "$label" java "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss512k -XX:MaxDirectMemorySize=128m "${options[@]}" \
		--add-exports java.base/jdk.internal.misc=ALL-UNNAMED -Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true \
		-Djava.net.preferIPv4Stack=true -cp "$f/conf:$lib/*" "$@"
}

start() { # FOLDER PORT
	installed "$lib" || fail "not installed: $0 install"
	mkdir -p "$1"
	local f
	f=$(cd "$1" && pwd)
	cd "$f" || exit
	if [ ! -s "$f/master.pid" ]; then
		configure "$f" "$2"
		hbase "$f" master "${HBASE_HEAP:-512m}" org.apache.hadoop.hbase.master.HMaster start
		await "$f" master 'Master has completed initialization'
	fi
	hbase "$f" thrift 192m org.apache.hadoop.hbase.thrift2.ThriftServer start -p "$2" -b 127.0.0.1 -f
	await "$f" thrift 'Thrift server on'
	await_ready "$f" thrift "$2" # both say that they are ready a little before they are
	echo "ready hbase://127.0.0.1:$2/default?tls=off"
}

crash() { # FOLDER
	local pid
	pid=$(cat "$1/thrift.pid")
	kill -KILL "$pid"
	while alive "$pid"; do sleep 0.05; done
	rm -f "$1/thrift.pid"
}

case "${1:-}/$#" in
install/1) jars "$lib" "org.apache.hbase:hbase-server:$version" "org.apache.hbase:hbase-thrift:$version" ;;
present/1) installed "$lib" ;;
start/3) start "$2" "$3" ;;
kill/2) crash "$2" ;;
stop/2)
	halt "$2" thrift
	halt "$2" master
	;;
*) fail "usage: hbase.sh install | present | start FOLDER PORT | kill FOLDER | stop FOLDER" ;;
esac
