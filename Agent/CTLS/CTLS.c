#include "CTLS.h"
#include <mbedtls/version.h>
int shelfcast_tls_version(void) { return (int)mbedtls_version_get_number(); }
