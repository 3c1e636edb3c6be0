/* Change events as recorded from a change stream, and positions in the log. */
#include "mongo_event.h"
#include "tap.h"

static const char insert[] =
	"ff000000035f6964002f000000025f64617461001f0000003832363430316233656630303030303030323242303232393239364530340000026f7065"
	"726174696f6e547970650007000000696e736572740011636c757374657254696d650002000000efb3016b036e73001e000000026462000500000074"
	"6573740002636f6c6c000200000077000003646f63756d656e744b6579000e000000105f69640001000000000366756c6c446f63756d656e74001500"
	"0000105f696400010000001061000500000000036c736964001e0000000569640010000000040000000000000000000000000000000a001274786e4e"
	"756d62657200030000000000000000";
static const char update[] =
	"fe000000035f6964002f000000025f64617461001f0000003832363430316233656630303030303030323242303232393239364530340000026f7065"
	"726174696f6e5479706500070000007570646174650011636c757374657254696d650002000000efb3016b0977616c6c54696d650050e1a6fea10100"
	"00036e73001e0000000264620005000000746573740002636f6c6c000200000077000003646f63756d656e744b6579000e000000105f696400010000"
	"0000037570646174654465736372697074696f6e003400000003757064617465644669656c6473000c00000010610006000000000472656d6f766564"
	"4669656c64730005000000000000";

static bson_t *hex(const char *text)
{
	static uint8_t raw[4096];
	size_t n = strlen(text) / 2;
	OK(n <= sizeof raw && ent_unhex(raw, n, text, 2 * n), "%zu recorded bytes", n);
	return bson_new_from_data(raw, n);
}

static bson_t *json(const char *text)
{
	bson_error_t e;
	bson_t *b = bson_new_from_json((const uint8_t *)text, -1, &e);
	OK(b, "%.80s", text);
	return b;
}

static void test_recorded(void)
{
	struct ent_mongo_event a, b;
	struct ent_err e = ENT_ERR_INIT;
	bson_t *one = hex(insert), *two = hex(update);
	OK(!ent_mongo_event_read(one, &a, &e) && a.kind == ENT_ME_INSERT && a.has_full && !strcmp(a.collection, "w") && !strcmp(a.db, "test"), "%s",
	   e.what);
	OK(a.time_us == 1795273711000000 && a.session.len && a.number == 3, "its time and its transaction");
	OK(!ent_mongo_event_read(two, &b, &e) && b.kind == ENT_ME_UPDATE && !b.has_full && b.key.len, "an update whose document is gone %s", e.what);
	OK(b.time_us == 1795273711952000, "the wall's time is finer");
	OK(ent_mongo_event_together(&a, &a) && !ent_mongo_event_together(&a, &b) && !ent_mongo_event_together(&b, &b), "transactions");
	bson_destroy(one);
	bson_destroy(two);
}

static void kind(const char *text, int code, enum ent_mongo_event_kind want)
{
	struct ent_mongo_event ev = { 0 };
	struct ent_err e = ENT_ERR_INIT;
	bson_t *doc = json(text);
	OK_INT(ent_mongo_event_read(doc, &ev, &e), code, "%s", e.what);
	OK(code || ev.kind == want, "kind of %.60s", text);
	bson_destroy(doc);
}

static void test_kinds(void)
{
	kind("{\"operationType\": \"drop\", \"ns\": {\"db\": \"d\", \"coll\": \"c\"}}", 0, ENT_ME_STOP);
	kind("{\"operationType\": \"rename\"}", 0, ENT_ME_STOP);
	kind("{\"operationType\": \"dropDatabase\"}", 0, ENT_ME_STOP);
	kind("{\"operationType\": \"invalidate\"}", 0, ENT_ME_STOP);
	kind("{\"operationType\": \"createIndexes\"}", 0, ENT_ME_OTHER);
	kind("{\"operationType\": \"delete\", \"ns\": {\"db\": \"d\", \"coll\": \"c\"}, \"documentKey\": {\"_id\": 1}}", 0, ENT_ME_DELETE);
	kind("{\"operationType\": \"delete\", \"ns\": {\"db\": \"d\", \"coll\": \"c\"}}", ENT_EDATA, 0);
	kind("{\"operationType\": \"insert\", \"ns\": {\"db\": \"d\", \"coll\": \"c\"}, \"documentKey\": {\"_id\": 1}}", ENT_EDATA, 0);
	kind("{\"operationType\": 5}", ENT_EDATA, 0);
	kind("{}", ENT_EDATA, 0);
}

static void cursor(const char *token, const char *want)
{
	char text[ENT_MONGO_CURSOR_MAX] = "";
	struct ent_err e = ENT_ERR_INIT;
	bson_t *doc = json(token), opts = BSON_INITIALIZER;
	bson_iter_t at;
	OK(!ent_mongo_cursor_text(doc, text, &e), "%s", e.what);
	OK_STR(text, want);
	OK(!ent_mongo_cursor_options(text, &opts, &e) && bson_iter_init_find(&at, &opts, "resumeAfter"), "%s", e.what);
	uint32_t len;
	const uint8_t *data;
	bson_iter_document(&at, &len, &data);
	OK(len == doc->len && !memcmp(data, bson_get_data(doc), len), "and the token comes back");
	bson_destroy(&opts);
	bson_destroy(doc);
}

static void test_cursors(void)
{
	cursor("{\"_data\": \"826401b3ef000000022B02\"}", "r:826401b3ef000000022B02");
	cursor("{\"_data\": {\"$binary\": {\"base64\": \"AAEC\", \"subType\": \"00\"}}}",
	       "j:{ \"_data\" : { \"$binary\" : { \"base64\" : \"AAEC\", \"subType\" : \"00\" } } }");
	char longer[600], text[ENT_MONGO_CURSOR_MAX];
	struct ent_err e = ENT_ERR_INIT;
	snprintf(longer, sizeof longer, "{\"_data\": \"%0450d\"}", 1);
	bson_t *doc = json(longer), opts = BSON_INITIALIZER;
	OK_INT(ent_mongo_cursor_text(doc, text, &e), ENT_EUNSUPPORTED, "%s (%s)", e.what, e.why);
	static const char *const bad[] = { "", "x", "t:", "t:1", "t:1:", "t:a:1", "t:1:99999999999", "t:1:1x", "j:{", "q:1" };
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK_INT(ent_mongo_cursor_options(bad[i], &opts, &e), ENT_EDATA, "%s: %s", bad[i], e.what);
	OK(!ent_mongo_cursor_options("t:17:5", &opts, &e) && bson_has_field(&opts, "startAtOperationTime"), "a time");
	bson_destroy(&opts);
	bson_destroy(doc);
}

static void test_order(void)
{
	static const char *const rising[] = {
		"t:1677833199:0", "r:826401b3ef000000022B0229", "r:826401b3ef000000022B0230", "r:826401b3ef000000032B0229",
		"t:1677833199:4", "r:826401b3f000000001"
	};
	for (size_t i = 0; i < ENT_COUNT(rising); i++)
		for (size_t k = 0; k < ENT_COUNT(rising); k++)
			OK_INT(ent_mongo_cursor_reached(rising[i], rising[k]), i <= k, "%s to %s", rising[i], rising[k]);
	OK_INT(ent_mongo_cursor_reached("j:{}", "t:1:1"), 0, "no order is no");
	OK_INT(ent_mongo_cursor_reached("r:6b01b3ef00000002", "t:1795273711:2"), 1, "tokens that are a time only");
}

int main(void)
{
	test_recorded();
	test_kinds();
	test_cursors();
	test_order();
	return tap_done();
}
