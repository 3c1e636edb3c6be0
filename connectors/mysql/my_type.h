/* MySQL's own type texts ("int(10) unsigned", "datetime(6)", "varchar(20)") to kinds and joint types; no library, used by reader, sink and log. */
#ifndef ENT_MYSQL_MY_TYPE_H
#define ENT_MYSQL_MY_TYPE_H
#include "arrow/type.h"

enum ent_my_kind {
	ENT_MY_INT, /* width bytes */
	ENT_MY_DECIMAL,
	ENT_MY_FLOAT,
	ENT_MY_DOUBLE,
	ENT_MY_DATE,
	ENT_MY_DATETIME,
	ENT_MY_TIMESTAMP,
	ENT_MY_TIME,
	ENT_MY_YEAR,
	ENT_MY_TEXT,   /* char, varchar, text kinds */
	ENT_MY_BINARY, /* binary, varbinary, blob kinds */
	ENT_MY_BIT,
	ENT_MY_ENUM,
	ENT_MY_SET,
	ENT_MY_JSON, /* MySQL's own; MariaDB's is longtext */
	ENT_MY_CAST, /* read as the server prints it: uuid, inet4, inet6, decimals of more than 38 digits */
	ENT_MY_NONE  /* not read at all */
};

struct ent_my_type {
	enum ent_my_kind kind;
	bool is_unsigned, fixed; /* fixed: char, binary */
	unsigned width;          /* bytes of an integer; bits of BIT */
	unsigned precision, scale;
	unsigned fraction;    /* digits of a second */
	uint64_t bytes_max;   /* of texts and bytes: letters for char and varchar, bytes for the rest */
	struct ent_type type; /* what it becomes; meaningless for NONE */
};

/* False for texts that are no MySQL type. reason: why no joint query may use it, "" when one may. */
bool ent_my_type_parse(const char *native, struct ent_my_type *ret, char reason[200]);
#endif
