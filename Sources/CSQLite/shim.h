#include <sqlite3.h>

/* sqlite3_config takes variable arguments, which Swift cannot pass. Returns SQLITE_MISUSE once SQLite is in use. */
static inline int CSQLite_turnMemoryStatisticsOff(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
