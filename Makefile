# smsync - see README. Everything compiled is cargo's work; this file names the usual targets.

PREFIX = /usr/local
MANDIR = $(PREFIX)/share/man
EXAMPLES = $(PREFIX)/share/examples/smsync

CARGO = cargo
CARGO_TARGET_DIR ?= target
BUILT = $(CARGO_TARGET_DIR)/release
PROGRAMS = $(BUILT)/smsync $(BUILT)/smsyncd

# What `make demo` pushes. It works on a copy.
TREE = /usr/share/doc

PAGES = smsync.1 smsync.4 smsyncd.conf.5 smsyncd.8
SAMPLES = inetd.conf xinetd.d/smsync smsyncd.socket smsyncd@.service smsyncd.service services logrotate crontab smsyncd.conf smsync.conf grafana.json

# Manual pages and examples name the place of the programs.
PLACED = sed 's|/usr/local|$(PREFIX)|g'

all:
	$(CARGO) build --release --locked

# Only when a program is missing: `make && sudo make install` must not need root's own cargo.
$(PROGRAMS):
	$(CARGO) build --release --locked

demo:
	TREE='$(TREE)' CARGO='$(CARGO)' contrib/demo

test:
	tests/setup
	$(CARGO) test --locked

# The large counts of what `make test` does in small.
soak:
	tests/setup
	SMSYNC_STRANGERS=1000 SMSYNC_CLIENTS=200 SMSYNC_RACES=1000000 SMSYNC_SIZES=yes \
		$(CARGO) test --locked --lib --test all -- --show-output strangers connections racer gigabytes

bench:
	$(CARGO) bench --locked --bench table -- --quick

bench-full:
	$(CARGO) bench --locked --bench table -- --full

install: $(PROGRAMS)
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/libexec' '$(DESTDIR)$(EXAMPLES)/xinetd.d'
	install -m 755 '$(BUILT)/smsync' '$(DESTDIR)$(PREFIX)/bin/smsync'
	install -m 755 '$(BUILT)/smsyncd' '$(DESTDIR)$(PREFIX)/libexec/smsyncd'
	set -e; for page in $(PAGES); do \
		place='$(DESTDIR)$(MANDIR)'/man$${page##*.}; \
		install -d "$$place"; \
		$(PLACED) "man/$$page" >"$$place/$$page"; \
		chmod 644 "$$place/$$page"; \
	done
	set -e; for sample in $(SAMPLES); do \
		place='$(DESTDIR)$(EXAMPLES)'/$$sample; \
		$(PLACED) "contrib/$$sample" >"$$place"; \
		chmod 644 "$$place"; \
	done

# Directories that others share stay.
uninstall:
	rm -f '$(DESTDIR)$(PREFIX)/bin/smsync' '$(DESTDIR)$(PREFIX)/libexec/smsyncd'
	for page in $(PAGES); do rm -f '$(DESTDIR)$(MANDIR)'/man$${page##*.}/$$page; done
	for sample in $(SAMPLES); do rm -f '$(DESTDIR)$(EXAMPLES)'/$$sample; done
	for place in '$(DESTDIR)$(EXAMPLES)/xinetd.d' '$(DESTDIR)$(EXAMPLES)'; do \
		[ ! -d "$$place" ] || rmdir "$$place"; \
	done

clean:
	$(CARGO) clean

.PHONY: all demo test soak bench bench-full install uninstall clean
