# The front door. Every target sets up what it needs; `make demo` and `make test` are the two commands of the README.
BUILD ?= build
MESON_FLAGS ?=
PREFIX ?= /usr/local
NINJA = ninja -C $(BUILD)

.PHONY: all demo test test-servers quick lint asan tsan ct fuzz bench mutants campaign install clean setup
all: $(BUILD)/build.ninja
	@$(NINJA) --quiet

$(BUILD)/build.ninja: | setup
	@meson setup $(BUILD) $(MESON_FLAGS) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log

setup:
	@tools/setup.sh run

demo: all
	@demo/run.sh

test:
	@tools/setup.sh test
	@$(MAKE) --no-print-directory all
	@tools/run-tests.py $(BUILD)

test-servers:
	@tools/setup.sh servers
	@$(MAKE) --no-print-directory all
	@tools/run-tests.py $(BUILD) --suite conformance --suite servers

quick: all
	@tools/run-tests.py $(BUILD) --suite quick

lint:
	@tools/setup.sh check
	@tools/lint.sh

asan tsan ct fuzz campaign:
	@tools/setup.sh check
	@tools/$@.sh

bench: all
	@bench/run.sh

install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX) && $(NINJA) --quiet && meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-*

mutants:
	@tools/setup.sh check
	@tools/mutants.py
