import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.Cursor;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.aggregation.Aggregation;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.Oplog;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.KeyFactory;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.h2.mvstore.MVStore;

/**
 * MongoDB's wire protocol, plain on one port and with TLS on another. Arguments: plain port (0 chooses one), folder with key.der and
 * server.crt; its file "ready" receives both ports once the server listens; the name of a file there in which everything is kept (without: in memory).
 *
 * A real server's change event carries the namespace, tells a replacement from an update, and identifies the document by its _id. The library's
 * events do not, so an Oplog is put around its own: on the way in, every update keeps the id it hit; on the way out, events are completed.
 */
final class Substitute {
    private Substitute() {}

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[1]);
        MongoBackend backend = args.length > 2 ? new Kept(folder.resolve(args[2])) : new Memory();
        MongoServer plain = new MongoServer(backend);
        MongoServer secured = new MongoServer(backend);
        plain.enableOplog();
        secure(secured, folder);
        Runtime.getRuntime().addShutdownHook(new Thread(plain::shutdownNow));
        plain.bind("127.0.0.1", Integer.parseInt(args[0]));
        secured.bind("127.0.0.1", 0);
        Path fresh = folder.resolve("ready.new");
        Files.writeString(fresh, plain.getLocalAddress().getPort() + " " + secured.getLocalAddress().getPort() + "\n");
        Files.move(fresh, folder.resolve("ready"), StandardCopyOption.ATOMIC_MOVE);
        Thread.currentThread().join();
    }

    private static void secure(MongoServer server, Path folder) throws Exception {
        byte[] key = Files.readAllBytes(folder.resolve("key.der"));
        try (var in = Files.newInputStream(folder.resolve("server.crt"))) {
            X509Certificate certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
            server.enableSsl(KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(key)), null, certificate);
        }
    }

    private static final class Memory extends MemoryBackend {
        @Override
        protected Oplog createOplog() {
            return new Events(super.createOplog(), getCursorRegistry());
        }
    }

    /**
     * Survives kill -9, documents and events alike: nothing is answered before what it tells, or has read, is in the file, and the file never holds
     * half a command. So one command goes after the other, and the store itself writes nothing in the background.
     */
    private static final class Kept extends H2Backend {
        Kept(Path file) throws InterruptedException {
            super(new MVStore.Builder().fileName(file.toString()).autoCommitDisabled().open());
            Thread.sleep(1100); // events are numbered within their second, from 1 after each start
        }

        @Override
        protected Oplog createOplog() {
            return new Events(super.createOplog(), getCursorRegistry());
        }

        @Override
        public synchronized Document handleMessage(MongoMessage message) {
            try {
                return super.handleMessage(message);
            } finally {
                getMvStore().commit();
            }
        }
    }

    /** The way in. */
    private record Events(Oplog log, CursorRegistry registry) implements Oplog {
        @Override
        public void handleInsert(String namespace, List<Document> documents) {
            log.handleInsert(namespace, documents);
        }

        @Override
        public void handleUpdate(String namespace, Document selector, Document update, List<Object> ids) {
            ids.forEach(id -> {
                Document change = new Document("_id", id);
                update.forEach(change::putIfAbsent);
                log.handleUpdate(namespace, selector, change, List.of(id));
            });
        }

        @Override
        public void handleDelete(String namespace, Document query, List<Object> ids) {
            log.handleDelete(namespace, query, ids);
        }

        @Override
        public void handleDropCollection(String namespace) {
            log.handleDropCollection(namespace);
        }

        @Override
        public Cursor createCursor(Document stage, String namespace, Aggregation pipeline) {
            Completed cursor = new Completed(log.createCursor(stage, namespace, pipeline), namespace);
            registry.remove(cursor.getId()); // the library has entered its own under this id
            registry.add(cursor);
            return cursor;
        }
    }

    /** The way out. */
    private record Completed(Cursor events, String namespace) implements Cursor {
        @Override
        public long getId() {
            return events.getId();
        }

        @Override
        public boolean isEmpty() {
            return events.isEmpty();
        }

        @Override
        public List<Document> takeDocuments(int count) {
            return events.takeDocuments(count).stream().map(this::complete).toList();
        }

        private Document complete(Document raw) {
            Document event = new Document();
            raw.forEach(event::put);
            String[] parts = namespace.split("\\.", 2);
            if (parts.length == 2) {
                event.put("ns", new Document("db", parts[0]).append("coll", parts[1]));
            }
            if (event.get("fullDocument") == null) {
                event.remove("fullDocument");
            }
            if (event.get("operationType").equals("update")) {
                completeUpdate(event, (Document) event.get("documentKey"));
            }
            return event;
        }

        private static void completeUpdate(Document event, Document change) {
            event.put("documentKey", new Document("_id", change.get("_id")));
            Set<String> names = change.keySet();
            if (names.stream().noneMatch(name -> name.startsWith("$"))) {
                event.put("operationType", "replace");
                event.put("fullDocument", change);
                return;
            }
            Document set = (Document) change.getOrDefault("$set", new Document());
            Document unset = (Document) change.getOrDefault("$unset", new Document());
            event.put("updateDescription", new Document("updatedFields", set).append("removedFields", new ArrayList<>(unset.keySet())));
            if (event.get("fullDocument") instanceof Document whole && !whole.containsKey("_id")) {
                event.remove("fullDocument");
            }
        }
    }
}
