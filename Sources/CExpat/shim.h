/* Expat: a parser of XML that is fed piece by piece. No shims: its functions are called as they are. */
#include <expat.h>
