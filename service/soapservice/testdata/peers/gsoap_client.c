/* Calls the service with a client that gSOAP has made of the WSDL. Binary
   values are sent as parts if there is an argument, otherwise in base64. */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soapH.h"
#include "DisnixWebServiceSoap11Binding.nsmap"

static struct soap *soap;
static const char *url;
static int mtom;

static void authenticate(void) {
    soap->userid = getenv("SOAP_USER");
    soap->passwd = getenv("SOAP_PASSWORD");
}

static void check(const char *operation, int status) {
    if (status != SOAP_OK) {
        fprintf(stderr, "%s: ", operation);
        soap_print_fault(soap, stderr);
        exit(1);
    }
}

/* A request and its response are the variables q and r of the block. */
#define CALL(operation) \
    (authenticate(), soap_call___ns1__##operation(soap, url, NULL, &q, &r))
#define DECLARE(operation) \
    struct _ns1__##operation q; struct _ns1__##operation##Response r; \
    memset(&q, 0, sizeof q); memset(&r, 0, sizeof r)

static void show_list(const char *name, int n, char **list, size_t skip) {
    printf("%s: ", name);
    for (int i = 0; i < n; i++)
        printf("%s%s", i ? " " : "", list[i] + skip);
    printf("\n");
}

static struct xsd__base64Binary binary(const void *bytes, int size) {
    struct xsd__base64Binary b;
    memset(&b, 0, sizeof b);
    b.__ptr = (unsigned char *)bytes;
    b.__size = size;
    if (mtom)
        b.type = "application/octet-stream"; /* it chooses an id */
    return b;
}

static void read_file(const char *path, char **content, int *size) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    *size = ftell(f);
    rewind(f);
    *content = malloc(*size);
    if (fread(*content, 1, *size, f) != (size_t)*size) {
        perror(path);
        exit(1);
    }
    fclose(f);
}

static void print_invalid(const char *name, int n, char **paths) {
    DECLARE(printInvalid);
    q.__sizederivation = n;
    q.derivation = paths;
    check(name, CALL(printInvalid));
    show_list(name, r.__sizereturn_, r.return_, 0);
}

static void all_snapshots(char *container, char *component) {
    DECLARE(queryAllSnapshots);
    q.container = container;
    q.component = component;
    check("queryAllSnapshots", CALL(queryAllSnapshots));
    show_list("queryAllSnapshots", r.__sizereturn_, r.return_, 0);
}

static void closures(void) {
    char *good = getenv("GOOD"), *uploaded = getenv("UPLOADED");
    char *both[] = {good, getenv("MISSING")};
    print_invalid("printInvalid", 2, both);
    print_invalid("printInvalid of nothing", 0, NULL);
    {
        DECLARE(queryRequisites);
        q.__sizederivation = 1;
        q.derivation = &good;
        check("queryRequisites", CALL(queryRequisites));
        show_list("queryRequisites", r.__sizereturn_, r.return_, 0);
    }
    {
        DECLARE(lock);
        q.profile = "default";
        check("lock", CALL(lock));
        printf("lock: %d\n", r.return_);
        int status = CALL(lock);
        const char **text = soap_faultstring(soap);
        printf("lock again: fault %s\n", status != SOAP_OK && *text && strstr(*text, "locked") ? "true" : "false");
    }
    {
        DECLARE(unlock);
        q.profile = "default";
        check("unlock", CALL(unlock));
        printf("unlock: %d\n", r.return_);
    }
    {
        DECLARE(importLocalFile);
        char *closure;
        int size;
        read_file(getenv("CLOSURE"), &closure, &size);
        q.dataHandler = binary(closure, size);
        check("importLocalFile", CALL(importLocalFile));
        printf("importLocalFile: %d\n", r.return_);
    }
    print_invalid("printInvalid of it", 1, &uploaded);
    {
        DECLARE(exportRemoteFile);
        unsigned char digest[SHA256_DIGEST_LENGTH];
        q.__sizederivation = 1;
        q.derivation = &uploaded;
        check("exportRemoteFile", CALL(exportRemoteFile));
        SHA256(r.return_.__ptr, r.return_.__size, digest);
        printf("exportRemoteFile: ");
        for (size_t i = 0; i < sizeof digest; i++)
            printf("%02x", digest[i]);
        printf("\n");
    }
}

static void transfers_on_the_target(void) {
    char *good = getenv("GOOD"), *uploaded = getenv("UPLOADED"), *file = NULL;
    {
        DECLARE(realise);
        q.__sizederivation = 1;
        q.derivation = &good;
        check("realise", CALL(realise));
        show_list("realise", r.__sizereturn_, r.return_, 0);
    }
    {
        DECLARE(export);
        q.__sizederivation = 1;
        q.derivation = &uploaded;
        check("export", CALL(export));
        file = r.return_;
    }
    {
        DECLARE(importm);
        q.closure = file;
        check("importm", CALL(importm));
        printf("importm: %d\n", r.return_);
    }
}

#define ACTIVITY(operation) do { \
    DECLARE(operation); \
    char *properties[] = {"a=<1>", "greeting=h\xc3\xa4llo & ]]>"}; \
    q.derivation = getenv("GOOD"); \
    q.container = "box"; \
    q.type = "recorder"; \
    q.__sizearguments = 2; \
    q.arguments = properties; \
    check(#operation, CALL(operation)); \
    printf(#operation ": %d\n", r.return_); \
} while (0)

static void activities(void) {
    ACTIVITY(activate);
    ACTIVITY(deactivate);
    ACTIVITY(snapshot);
    ACTIVITY(restore);
    ACTIVITY(deleteState);
}

static void snapshots(void) {
    char *path = NULL, *name = "box/a/id";
    {
        DECLARE(importLocalSnapshots);
        struct xsd__base64Binary files[] = {binary("one", 3), binary("\0two", 4)};
        char *paths[] = {"/s/id/1", "/s/id/d/2"};
        q.container = "box";
        q.component = "a";
        q.snapshot = "/s/id";
        q.__sizedataHandlers = q.__sizepaths = 2;
        q.dataHandlers = files;
        q.paths = paths;
        check("importLocalSnapshots", CALL(importLocalSnapshots));
        printf("importLocalSnapshots: %d\n", r.return_);
    }
    all_snapshots("box", "a");
    {
        DECLARE(queryLatestSnapshot);
        q.container = "box";
        q.component = "a";
        check("queryLatestSnapshot", CALL(queryLatestSnapshot));
        show_list("queryLatestSnapshot", r.__sizereturn_, r.return_, 0);
    }
    {
        DECLARE(printMissingSnapshots);
        char *both[] = {name, "box/a/other"};
        q.__sizecomponent = 2;
        q.component = both;
        check("printMissingSnapshots", CALL(printMissingSnapshots));
        show_list("printMissingSnapshots", r.__sizereturn_, r.return_, 0);
    }
    {
        DECLARE(resolveSnapshots);
        q.__sizesnapshots = 1;
        q.snapshots = &name;
        check("resolveSnapshots", CALL(resolveSnapshots));
        path = r.return_[0];
    }
    {
        DECLARE(exportRemoteSnapshotPaths);
        q.derivation = path;
        check("exportRemoteSnapshotPaths", CALL(exportRemoteSnapshotPaths));
        show_list("exportRemoteSnapshotPaths", r.__sizereturn_, r.return_, strlen(path));
    }
    {
        DECLARE(exportRemoteSnapshots);
        q.derivation = path;
        check("exportRemoteSnapshots", CALL(exportRemoteSnapshots));
        printf("exportRemoteSnapshots:");
        for (int i = 0; i < r.__sizereturn_; i++) {
            printf(" ");
            for (int j = 0; j < r.return_[i].__size; j++)
                printf("%02x", r.return_[i].__ptr[j]);
        }
        printf("\n");
    }
    {
        DECLARE(importSnapshots);
        q.container = "box";
        q.component = "a";
        q.__sizesnapshots = 1;
        q.snapshots = &path;
        check("importSnapshots", CALL(importSnapshots));
        printf("importSnapshots: %d\n", r.return_);
    }
    {
        DECLARE(cleanSnapshots);
        q.keep = 0;
        check("cleanSnapshots", CALL(cleanSnapshots));
        printf("cleanSnapshots: %d\n", r.return_);
    }
    all_snapshots(NULL, NULL);
}

int main(int argc, char **argv) {
    (void)argv;
    mtom = argc > 1;
    soap = soap_new1(SOAP_C_UTFSTRING | SOAP_IO_KEEPALIVE | (mtom ? SOAP_ENC_MTOM : 0));
    url = getenv("SOAP_URL");
    closures();
    transfers_on_the_target();
    activities();
    snapshots();
    {
        DECLARE(captureConfig);
        check("captureConfig", CALL(captureConfig));
        printf("captureConfig: %s\n", strstr(r.return_, "containers") ? "True" : "False");
    }
    {
        DECLARE(set);
        q.profile = "default";
        q.derivation = getenv("PROFILE");
        check("set", CALL(set));
        printf("set: %d\n", r.return_);
    }
    {
        DECLARE(queryInstalled);
        q.profile = "default";
        check("queryInstalled", CALL(queryInstalled));
        for (char *c = r.return_[0]; *c; c++)
            if (*c == '\n')
                *c = '|';
        show_list("queryInstalled", r.__sizereturn_, r.return_, 0);
    }
    {
        DECLARE(collectGarbage);
        check("collectGarbage", CALL(collectGarbage));
        printf("collectGarbage: %d\n", r.return_);
    }
    soap_destroy(soap);
    soap_end(soap);
    soap_free(soap);
    return 0;
}
