/* Edges of types that several stores spell alike. */
#ifndef ENT_TEST_MATRIX_EDGES_H
#define ENT_TEST_MATRIX_EDGES_H
#define EDGE_TRUE_FALSE \
	{ "true", "true", NULL }, { "false", "false", NULL }
#define EDGE_INT(low, high) \
	{ "smallest", low, NULL }, { "largest", high, NULL }, { "0", "0", NULL }
#define EDGE_I16 EDGE_INT("-32768", "32767")
#define EDGE_I32 EDGE_INT("-2147483648", "2147483647")
#define EDGE_I64 EDGE_INT("-9223372036854775808", "9223372036854775807")
#define EDGE_U64 \
	{ "largest", "18446744073709551615", NULL }, { "0", "0", NULL }
#define NINES10 "9999999999"
#define NINES30 NINES10 NINES10 NINES10
#define EDGE_DEC_9_0 \
	{ "smallest", "-999999999", NULL }, { "largest", "999999999", NULL }, { "0", "0", NULL }
#define EDGE_DEC_18_4 \
	{ "smallest", "-9999" NINES10 ".9999", NULL }, { "largest", "9999" NINES10 ".9999", NULL }, { "0", "0.0000", NULL }, \
	{ \
		"half", "0.5000", NULL \
	}
#define EDGE_DEC_38_1 \
	{ "smallest", "-9999999" NINES30 ".9", NULL }, { "largest", "9999999" NINES30 ".9", NULL }, { "0", "0.0", NULL }
#define TINY37 "0.0000000000000000000000000000000000001"
#define EDGE_DEC_38_37 \
	{ "smallest", "-9.9999999" NINES30, NULL }, { "largest", "9.9999999" NINES30, NULL }, { "tiny", TINY37, NULL }
#define BMP "\xf0\x9f\x98\x80\xf0\x90\x8d\x88"
#define EDGE_TEXT \
	{ "empty", "''", NULL }, { "beyond the BMP", "'" BMP "'", NULL }, { "a blank at its end", "'a '", NULL }
#define EDGE_LONG \
	{ \
		"1 MiB", "'" MX_LONG "'", NULL \
	}
#define EDGE_CONTROL \
	{ \
		"tab, quotes, line feed", "'a\t\"b\",\n;|\\N'", NULL \
	}
#define EDGE_DATE \
	{ "year 1", "'0001-01-01'", NULL }, { "year 9999", "'9999-12-31'", NULL }, { "1969", "'1969-12-31'", NULL }
#define EDGE_TS \
	{ "year 1", "'0001-01-01 00:00:00'", NULL }, { "year 9999", "'9999-12-31 23:59:59.999999'", NULL }, \
		{ "before 1970", "'1969-12-31 23:59:59.999999'", NULL }, \
	{ \
		"milliseconds", "'2024-02-29 12:34:56.789'", NULL \
	}
#define EDGE_TSTZ \
	{ "year 1", "'0001-01-01 00:00:00+00'", NULL }, { "year 9999", "'9999-12-31 23:59:59.999999+00'", NULL }, \
		{ "before 1970", "'1969-12-31 23:59:59.999999+00'", NULL }, \
	{ \
		"milliseconds", "'2024-02-29 12:34:56.789+00'", NULL \
	}
#define EDGE_TIME \
	{ "smallest", "'00:00:00'", NULL }, { "largest", "'23:59:59.999999'", NULL }
#define EDGE_INFINITE \
	{ "infinity", "'infinity'", NULL }, { "-infinity", "'-infinity'", NULL }
#define UUID_MAX "'ffffffff-ffff-ffff-ffff-ffffffffffff'"
#define EDGE_UUID \
	{ "smallest", "'00000000-0000-0000-0000-000000000000'", NULL }, { "largest", UUID_MAX, NULL }
#endif
