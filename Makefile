# callgate: make run (a demo), make test (everything), make proof (full counts), make bench, make install.

PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: run test proof bench install
.DEFAULT_GOAL := run

# The demo: embedded defaults, a number, one call, then it goes on serving.
run:
	cargo run -- demo

# Everything; installs what it needs (as root) and says how long each part took.
test:
	@tests/tools/test

# The full counts of what is promised; goes on where it was stopped.
proof:
	@tests/tools/proof

# What it costs beside the bare floor and Kamailio: target/bench/report.md. SECTIONS="full rate" runs some alone.
bench:
	@tests/tools/bench $(SECTIONS)

# BINARY names one that is built already.
install:
	$(if $(BINARY),,cargo build --release --locked)
	install -D -m 0755 $(or $(BINARY),target/release/callgate) $(DESTDIR)$(PREFIX)/bin/callgate
	install -D -m 0644 systemd/callgate.service $(DESTDIR)/etc/systemd/system/callgate.service
	install -D -m 0644 README.md $(DESTDIR)$(PREFIX)/share/doc/callgate/README.md
	test -e $(DESTDIR)/etc/callgate/callgate.toml || install -D -m 0644 config/callgate.toml $(DESTDIR)/etc/callgate/callgate.toml
