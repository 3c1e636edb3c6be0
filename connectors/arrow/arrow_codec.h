/* What unpacks compressed Arrow files: liblz4 and libzstd, each NULL in a build without it. */
#ifndef ENT_ARROW_CODEC_H
#define ENT_ARROW_CODEC_H
#include "arrow/ipc.h"

extern const struct ent_ipc_codec *const ent_arrow_codecs[ENT_IPC_CODECS];
#endif
