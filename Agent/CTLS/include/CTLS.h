#ifndef CTLS_H
#define CTLS_H
int shelfcast_tls_version(void);
#endif
