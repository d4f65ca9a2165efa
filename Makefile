# The two commands that matter: "make demo" shows a real deployment, and
# "make test" runs every test. Both install what they need (as root on Debian).

PREFIX  ?= /usr/local
DESTDIR ?=
# Where the system bus reads policies, and where services are described.
DBUSPOLICYDIR ?= /usr/share/dbus-1/system.d
SYSTEMDDIR    ?= /usr/lib/systemd/system
INITDIR       ?= /etc/init.d
LOGROTATEDIR  ?= /etc/logrotate.d
BIN     ?= bin
GO      ?= go
GOTESTFLAGS ?=

.PHONY: all build demo demo-network demo-stafftracker demo-soap test bench bench-network lint setup setup-race setup-plugins setup-process-managers setup-web setup-databases setup-stafftracker setup-bus setup-soap setup-https setup-ssh setup-lab install clean

all: build

# One static binary, reachable under the name of every program, and beside it
# the one that draws, which would make every other program start slowly.
build:
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -o $(BIN)/ ./cmd/disnix ./cmd/disnix-draw
	@for name in $$($(BIN)/disnix --list-programs); do ln -sfn disnix $(BIN)/$$name; done

demo: setup build
	@examples/hello/demo.sh

# The same example on three hosts of the test lab, reached through SSH. It needs
# root.
demo-network: setup setup-lab
	$(GO) test -count=1 -v -run '^TestDeployMoveAndRollBack$$' ./test/network

# Databases, web applications and a process on two machines of the test lab. It
# needs root.
demo-stafftracker: setup setup-lab setup-stafftracker
	$(GO) test -count=1 -v -short -run '^TestDataFollowsAMovedDatabase$$' ./test/stafftracker

# The first example on three machines of the test lab: one reached through HTTPS,
# behind nginx with a password, one through SSH, one without a network. It needs
# root.
demo-soap: setup setup-lab setup-https
	$(GO) test -count=1 -v -run '^TestDeployThroughHTTPSAndSSHAndHere$$' ./test/soap

# The race detector would let every program that the tests start sleep for a
# second when it ends. The limit of a package is for what hangs, not for a
# machine that is slow.
test: setup setup-race setup-plugins setup-process-managers setup-web setup-databases setup-stafftracker setup-bus setup-soap setup-https setup-ssh setup-lab
	GORACE=atexit_sleep_ms=0 $(GO) test -race -timeout 30m $(GOTESTFLAGS) ./...

bench:
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v -e /test/network$$ -e /test/stafftracker$$)

# Deployments and transfers over SSH, measured from outside on hosts of the test
# lab. It needs root.
bench-network: setup setup-lab setup-stafftracker
	$(GO) test -run '^$$' -bench . -benchtime 3x ./test/network ./test/stafftracker

lint:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.1 ./...

# What the programs need at run time: Nix.
setup:
	@scripts/install-missing nix-store:nix-bin

# What the race detector needs: a C compiler.
setup-race:
	@scripts/install-missing gcc:gcc gcc:libc6-dev

# What the tests of the plugins need: programs that components are made with.
setup-plugins:
	@scripts/install-missing bash:bash xz:xz-utils useradd:passwd perl:perl-base

# What the tests of web applications need: servers that the tests start.
setup-web:
	@scripts/install-missing java:default-jre-headless /usr/share/tomcat10/bin/catalina.sh:tomcat10-common \
		/usr/sbin/nginx:nginx-light /usr/sbin/apache2:apache2-bin

# Process managers that the tests of the plugins start.
setup-process-managers:
	@scripts/install-missing supervisord:supervisor xinetd:xinetd s6-svscan:s6 start-stop-daemon:dpkg \
		dbus-daemon:dbus-daemon perl:perl

# What the tests of databases need: servers that the tests start, each with
# files of its own, and their client programs.
setup-databases:
	@scripts/install-missing mariadbd:mariadb-server-core mariadb-dump:mariadb-client mariadb:mariadb-client-core \
		/usr/lib/postgresql/15/bin/postgres:postgresql-15 psql:postgresql-client-15 influxd:influxdb influx:influxdb-client \
		svnadmin:subversion svn:subversion ejabberdctl:ejabberd setpriv:util-linux xz:xz-utils zstd:zstd

# What runs examples/stafftracker: databases, servlet containers with a driver
# for them, and process managers.
setup-stafftracker:
	@scripts/install-missing mariadbd:mariadb-server-core mariadb:mariadb-client-core mariadb-dump:mariadb-client xz:xz-utils \
		java:default-jre-headless /usr/share/tomcat10/bin/catalina.sh:tomcat10-common \
		/usr/share/java/mariadb-java-client.jar:libmariadb-java \
		supervisord:supervisor perl:perl curl:curl zstd:zstd

# What the tests of disnix-service need: a bus and other programs that use it.
setup-bus:
	@scripts/install-missing dbus-daemon:dbus-daemon dbus-send:dbus-bin gdbus:libglib2.0-bin

# What the tests of the SOAP service need: clients that others have written.
SOAP_NODE = service/soapservice/testdata/peers/node
setup-soap:
	@scripts/install-missing /usr/lib/python3/dist-packages/zeep/__init__.py:python3-zeep htpasswd:apache2-utils \
		/usr/share/perl5/SOAP/Lite.pm:libsoap-lite-perl /usr/share/perl5/MIME/Parser.pm:libmime-tools-perl \
		curl:curl php:php-cli /usr/share/php8.2-soap:php-soap soapcpp2:gsoap /usr/include/stdsoap2.h:libgsoap-dev \
		/usr/include/openssl/sha.h:libssl-dev /usr/include/zlib.h:zlib1g-dev gcc:gcc node:nodejs npm:npm
	@test -d $(SOAP_NODE)/node_modules/soap || npm ci --prefix $(SOAP_NODE) --ignore-scripts --no-audit --no-fund --silent

# What a machine of the test lab needs that is reached through HTTPS.
setup-https:
	@scripts/install-missing /usr/sbin/nginx:nginx-light htpasswd:apache2-utils openssl:openssl curl:curl

# What hosts of the test lab need.
setup-lab:
	@scripts/install-missing ip:iproute2 tc:iproute2 nsenter:util-linux setpriv:util-linux \
		/usr/sbin/sshd:openssh-server ssh:openssh-client dbus-daemon:dbus-daemon dbus-send:dbus-bin ps:procps perl:perl \
		script:bsdutils nix-daemon:nix-bin

# What the tests of the SSH client need: a server.
setup-ssh:
	@scripts/install-missing /usr/sbin/sshd:openssh-server ssh-keygen:openssh-client

install: build
	install -D -m 755 $(BIN)/disnix $(DESTDIR)$(PREFIX)/bin/disnix
	install -D -m 755 $(BIN)/disnix-draw $(DESTDIR)$(PREFIX)/bin/disnix-draw
	for name in $$($(BIN)/disnix --list-programs); do ln -sfn disnix $(DESTDIR)$(PREFIX)/bin/$$name; done
	install -D -m 644 share/dysnomia/util $(DESTDIR)$(PREFIX)/share/dysnomia/util
	install -D -m 644 share/dbus-1/system.d/disnix.conf $(DESTDIR)$(DBUSPOLICYDIR)/disnix.conf
	install -D -m 644 share/logrotate.d/disnix-service $(DESTDIR)$(LOGROTATEDIR)/disnix-service
	install -d $(DESTDIR)$(SYSTEMDDIR) $(DESTDIR)$(INITDIR)
	sed 's|@bindir@|$(PREFIX)/bin|g' share/systemd/system/disnix-service.service.in > $(DESTDIR)$(SYSTEMDDIR)/disnix-service.service
	sed 's|@bindir@|$(PREFIX)/bin|g' share/systemd/system/disnix-webservice.service.in > $(DESTDIR)$(SYSTEMDDIR)/disnix-webservice.service
	sed 's|@bindir@|$(PREFIX)/bin|g' share/init.d/disnix-service.in > $(DESTDIR)$(INITDIR)/disnix-service
	chmod 755 $(DESTDIR)$(INITDIR)/disnix-service
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1

clean:
	rm -rf bin
