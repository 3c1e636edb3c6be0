/* The clock and randomness of the operating system. */
#ifndef ENT_OS_SYSTEM_H
#define ENT_OS_SYSTEM_H
#include "base/clock.h"

struct ent_clock *ent_system_clock(void);   /* one for the process, never freed; any thread */
struct ent_random *ent_system_random(void); /* getrandom(2); ENT_EIO when it fails: there is no fallback; any thread */
#endif
