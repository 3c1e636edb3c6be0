/* Names and Arrow formats of every type read back; everything else is refused. */
#include "arrow/type.h"
#include "tap.h"

static void round_trip(struct ent_type t)
{
	char text[ENT_TYPE_TEXT_MAX];
	struct ent_type back = { 0 };
	ent_type_name(t, text);
	OK(ent_type_by_name(text, &back) && ent_type_eq(t, back), "name %s", text);
	memset(&back, 0, sizeof back);
	ent_type_format(t, text);
	OK(ent_type_by_format(text, &back) && ent_type_eq(t, back), "format %s", text);
}

int main(void)
{
	static const char *const bad[] = { "",          "d:",   "d:5",  "d:0,0",           "d:39,1", "d:5,6", "d:05,1",
					   "d:5,1,128", "d:5,", "tsn:", "tsu:Europe/Rome", "i2",     "w:16" };
	static const char *const bad_names[] = { "",           "decimal",     "decimal(",     "decimal()",
						 "decimal(5)", "decimal(5,)", "decimal(5,6)", "decimal(5,1) ",
						 "int",        "decimal(,)" };
	struct ent_type t;
	for (int id = 0; id < ENT_T_COUNT; id++)
		round_trip((struct ent_type){ (enum ent_type_id)id, id == ENT_T_DECIMAL ? 12 : 0, id == ENT_T_DECIMAL ? 2 : 0 });
	round_trip((struct ent_type){ ENT_T_DECIMAL, 38, 0 });
	for (size_t i = 0; i < ENT_COUNT(bad); i++)
		OK(!ent_type_by_format(bad[i], &t), "format '%s' refused", bad[i]);
	for (size_t i = 0; i < ENT_COUNT(bad_names); i++)
		OK(!ent_type_by_name(bad_names[i], &t), "name '%s' refused", bad_names[i]);
	OK(ent_type_by_format("C", &t) && t.id == ENT_T_INT16);
	OK(ent_type_by_format("I", &t) && t.id == ENT_T_INT64);
	OK(ent_type_by_format("tsm:", &t) && t.id == ENT_T_TIMESTAMP);
	OK(ent_type_by_format("U", &t) && t.id == ENT_T_TEXT);
	return tap_done();
}
