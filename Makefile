# c9d: build, test, measure, install. `make help` lists the targets.
#
# One table of rooms (DIR_, SEES_) is the map of the house: a room is compiled with an include
# path that holds itself and what it may see, nothing else, so a wrong include does not compile.

VERSION := 0.1.0
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
STATEDIR ?= /var/lib
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/lib/c9d
PLUGINDIR ?= $(LIBDIR)/c9d/plugins
SKILLDIR ?= $(PREFIX)/share/c9d/skills

# ---- variants: make VARIANT=asan … builds beside the plain build -------------------------------
VARIANT ?= plain
B := build$(if $(filter-out plain,$(VARIANT)),/$(VARIANT))
CC := gcc
OPT_plain := -O2 -g
OPT_asan  := -O1 -g -fsanitize=address -fno-omit-frame-pointer
OPT_ubsan := -O1 -g -fsanitize=undefined -fno-sanitize-recover=all
OPT_tsan  := -O1 -g -fsanitize=thread
OPT_coverage := -O0 -g --coverage
OPT_fuzz  := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
OPT_afl   := -O1 -g
ifeq ($(VARIANT),fuzz)
CC := clang
endif
# AFL++ runs libFuzzer's targets in its persistent mode, and finds other things on its way.
ifeq ($(VARIANT),afl)
CC := AFL_QUIET=1 AFL_USE_ASAN=1 AFL_USE_UBSAN=1 afl-clang-fast
endif
# A sanitizer's runtime needs more of the kernel than the sandbox's policy allows.
SANITIZED := $(filter asan ubsan tsan fuzz afl coverage,$(VARIANT))

WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Werror
# What clang 14 warns of and gcc does not: what a designated initializer leaves to zero, texts of several lines in a list.
WARN += $(if $(filter fuzz afl,$(VARIANT)),-Wno-missing-field-initializers -Wno-string-concatenation)
HARDEN := -fstack-protector-strong -fPIC -fvisibility=hidden $(if $(SANITIZED),,-D_FORTIFY_SOURCE=2)
CFLAGS ?= $(OPT_$(VARIANT))
CFLAGS_ALL = $(CFLAGS) -std=gnu11 -D_GNU_SOURCE $(WARN) $(HARDEN) -pthread -MMD -MP \
             $(if $(SANITIZED),-DC9_SANITIZED=1)
LDFLAGS_ALL = $(LDFLAGS) $(OPT_$(VARIANT)) -pthread -Wl,-z,relro,-z,now

# Compiled into the programs.
PATH_DEFS := -DC9_VERSION='"$(VERSION)"' -DC9_SYSCONFDIR='"$(SYSCONFDIR)"' -DC9_STATEDIR='"$(STATEDIR)"' \
             -DC9_LIBEXECDIR='"$(LIBEXECDIR)"' -DC9_PLUGINDIR='"$(PLUGINDIR)"' -DC9_SKILLDIR='"$(SKILLDIR)"'

# ---- the rooms: where each lives, what it may include, what of the system it may use -------------
ROOMS := base abi schema cron wire host store service supervisor api client sandbox

DIR_base       := core/base
SEES_base      :=
DIR_abi        := core/abi
SEES_abi       :=
DIR_schema     := core/schema
SEES_schema    := base
DIR_cron       := core/cron
SEES_cron      := base
DIR_wire       := core/wire
SEES_wire      := base
DIR_host       := core/host
SEES_host      := base abi
DIR_store      := core/store
SEES_store     := base abi host
DIR_service    := core/service
SEES_service   := base abi schema cron store host
DIR_supervisor := core/supervisor
SEES_supervisor := base abi schema wire host store service api
DIR_api        := api
SEES_api       := base schema service
DIR_client     := api/client
SEES_client    := base
DIR_sandbox    := sandbox
SEES_sandbox   := base wire

PKG_base    := jansson nettle inih
PKG_schema  := jansson libpcre2-8
PKG_cron    := jansson
PKG_host    := jansson
PKG_store   := jansson
PKG_service := jansson jose
PKG_wire    := jansson
PKG_supervisor := jansson libcurl
PKG_api     := jansson libmicrohttpd
PKG_client  := jansson libcurl
PKG_sandbox := lua5.4 jansson

# Which packages each plugin links to; a plugin is plugins/NAME.c or every .c in plugins/NAME/.
PLUGINS := $(sort $(basename $(notdir $(wildcard plugins/*.c))) $(notdir $(patsubst %/,%,$(dir $(wildcard plugins/*/*.c)))))
PKG_storage_sqlite := sqlite3
PKG_model_openai   := jansson
PKG_model_fake     := jansson

pkg-cflags = $(if $(strip $1),$(shell pkg-config --cflags $1 2> /dev/null))
pkg-libs   = $(if $(strip $1),$(shell pkg-config --libs $1 2> /dev/null))

# ---- from the table to rules ---------------------------------------------------------------------
# build/walls/ROOM/ holds one link for each room that ROOM may see: -Ibuild/walls/ROOM.
W := build/walls
# What must exist as source before anything compiles (generated text).
GENERATED := $(patsubst core/store/%.sql,$(W)/store/generated/%.inc,$(wildcard core/store/schema_*.sql))
GENERATED += $(W)/wire/generated/syscalls.inc $(W)/wire/generated/syscalls_32.inc
# Names of system calls by their numbers; where there is no 32-bit header its table is empty.
syscall-table = @mkdir -p $(@D) && { echo '\#include <$1>' | $(CC) -E -dM - 2> /dev/null || true; } | \
  sed -nE 's/^\#define __NR_([a-z0-9_]+) ([0-9]+)$$/[\2] = "\1",/p' > $@
$(W)/wire/generated/syscalls.inc: Makefile
	$(call syscall-table,asm/unistd.h)
$(W)/wire/generated/syscalls_32.inc: Makefile
	$(call syscall-table,asm/unistd_32.h)
# SQL as a C string.
$(W)/store/generated/%.inc: core/store/%.sql
	@mkdir -p $(@D) && sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< > $@

# What of openapi.json judges requests, by a program that runs here.
HOST_CC ?= gcc
GENERATED += $(W)/api/generated/openapi_rules.json
$(W)/api/generated/openapi_rules.json: api/openapi.json api/tools/reduce.c
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -O1 -std=gnu11 -D_GNU_SOURCE $(WARN) $(call pkg-cflags,jansson) api/tools/reduce.c -o $(@D)/reduce $(call pkg-libs,jansson)
	@$(@D)/reduce < $< > $@.new && mv $@.new $@

define room-rules
SRC_$1 := $$(filter-out %/main.c,$$(sort $$(wildcard $$(DIR_$1)/*.c)))
OBJ_$1 := $$(SRC_$1:%.c=$$(B)/%.o)
$(W)/$1/.made: Makefile
	@mkdir -p $$(@D) && cd $$(@D) && $$(foreach s,$1 $$(SEES_$1),ln -sfn ../../../$$(DIR_$$s) $$s &&) \
	  $$(if $$(filter abi,$1 $$(SEES_$1)),ln -sfn ../../../core/abi c9d &&) touch .made
$$(OBJ_$1): $(W)/$1/.made $$(GENERATED)
$$(OBJ_$1): CFLAGS_ALL += -I$(W)/$1 $$(call pkg-cflags,$$(PKG_$1))
$$(B)/lib$1.a: $$(OBJ_$1)
	@rm -f $$@ && ar crs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room-rules,$r)))

# The paths of an installation are compiled in: another PREFIX compiles again.
$(B)/.paths: FORCE
	@mkdir -p $(@D) && echo '$(PATH_DEFS)' | cmp -s - $@ || echo '$(PATH_DEFS)' > $@
FORCE:

$(B)/%.o: %.c $(B)/.paths
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(DEFS_$(notdir $*)) -c $< -o $@

Q := $(if $(V),,@)

# The assembler takes the document in (.incbin), which the compiler's dependencies do not show.
$(B)/api/openapi_text.o: api/openapi.json $(W)/api/generated/openapi_rules.json

# Everything that a program of the supervisor's side links.
CORE_ROOMS := supervisor api service store host schema cron wire base
CORE_LIBS  := $(foreach r,$(CORE_ROOMS),$(B)/lib$r.a)
CORE_PKGS  := $(sort $(foreach r,$(CORE_ROOMS),$(PKG_$r)))

# ---- programs --------------------------------------------------------------------------------------
CFLAGS_ALL += $(PATH_DEFS)
PROGRAMS := $(B)/c9d $(B)/c9ctl $(B)/c9d-zygote

link = $(Q)$(CC) $(LDFLAGS_ALL) $1 $(LINK_EXTRA) -o $@ -Wl,--as-needed -Wl,--start-group $2 -Wl,--end-group $3

$(B)/c9d: $(B)/core/supervisor/main.o $(CORE_LIBS)
	$(call link,$<,$(CORE_LIBS),$(call pkg-libs,$(CORE_PKGS)) -ldl -lm -rdynamic)
$(B)/c9ctl: $(B)/api/client/main.o $(B)/libclient.a $(B)/libbase.a
	$(call link,$<,$(B)/libclient.a $(B)/libbase.a,$(call pkg-libs,$(PKG_client) $(PKG_base)) -lm)
# The zygote is static: each fork copies its mappings, and each executor faults in and unmaps pages of every
# shared library. ZYGOTE_LINK= links it to the shared liblua instead.
ZYGOTE_LINK ?= $(if $(SANITIZED),,-static-pie -Wl,-T,sandbox/zygote.ld)
zygote-link = $(Q)$(CC) $(LDFLAGS_ALL) $(ZYGOTE_LINK) $< -o $@ -Wl,--start-group $(ZYGOTE_LIBS) -Wl,--end-group \
              $(call pkg-libs,lua5.4) -lm
ZYGOTE_LIBS := $(B)/libsandbox.a $(B)/libwire.a $(B)/libbase.a
$(B)/c9d-zygote: $(B)/sandbox/main.o $(ZYGOTE_LIBS)
	$(zygote-link)
$(B)/core/supervisor/main.o: $(W)/supervisor/.made
$(B)/core/supervisor/main.o: CFLAGS_ALL += -I$(W)/supervisor $(call pkg-cflags,$(CORE_PKGS))
$(B)/api/client/main.o: $(W)/client/.made
$(B)/api/client/main.o: CFLAGS_ALL += -I$(W)/client $(call pkg-cflags,$(PKG_client))
$(B)/sandbox/main.o: $(W)/sandbox/.made $(GENERATED)
$(B)/sandbox/main.o: CFLAGS_ALL += -I$(W)/sandbox $(call pkg-cflags,$(PKG_sandbox))

# ---- plugins: they see core/abi as <c9d/…> and nothing else -----------------------------------------
define plugin-rules
PSRC_$1 := $$(wildcard plugins/$1.c plugins/$1/*.c)
POBJ_$1 := $$(PSRC_$1:%.c=$$(B)/%.o)
$$(POBJ_$1): $(W)/abi/.made
$$(POBJ_$1): CFLAGS_ALL += -I$(W)/abi $$(call pkg-cflags,$$(PKG_$1))
$$(B)/plugins/$1.so: $$(POBJ_$1)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -shared $$^ -o $$@ -Wl,--as-needed $$(call pkg-libs,$$(PKG_$1)) -lm
endef
$(foreach p,$(PLUGINS),$(eval $(call plugin-rules,$p)))
PLUGIN_SOS := $(PLUGINS:%=$(B)/plugins/%.so)

# ---- tests: tests/KIND/ROOM_unit.c is compiled with ROOM's own walls ---------------------------------
KINDS := unit contract sandbox
TEST_SRC := $(foreach k,$(KINDS),$(wildcard tests/$k/*.c))
TESTS_C  := $(TEST_SRC:%.c=$(B)/%)
TESTS_PY := $(wildcard tests/unit/*.py tests/crash/*.py tests/api/*.py tests/sandbox/*.py tests/client/*.py)
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZERS  := $(filter-out %/driver,$(FUZZ_SRC:tests/fuzz/%.c=$(B)/tests/fuzz/%))
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCHES  := $(BENCH_SRC:%.c=$(B)/%)
room-of = $(firstword $(subst _, ,$(basename $(notdir $1))))
TEST_LIBS := $(CORE_LIBS) $(B)/libsandbox.a $(B)/libclient.a
TEST_PKGS := $(sort $(CORE_PKGS) $(PKG_sandbox) $(PKG_client))

define test-rules
$(B)/$(1:%.c=%.o): $(W)/$(call room-of,$1)/.made
$(B)/$(1:%.c=%.o): CFLAGS_ALL += -I$(W)/$(call room-of,$1) -Itests $(call pkg-cflags,$(TEST_PKGS))
endef
$(foreach t,$(TEST_SRC) $(filter-out %/driver.c,$(FUZZ_SRC)) $(BENCH_SRC),$(eval $(call test-rules,$t)))
$(B)/tests/fuzz/driver.o: CFLAGS_ALL += -Itests

$(TESTS_C) $(filter-out %/sandbox_reference,$(BENCHES)): %: %.o $(TEST_LIBS)
	$(call link,$<,$(TEST_LIBS),$(call pkg-libs,$(TEST_PKGS)) -ldl -lm -rdynamic)
# The reference for executions is linked as the zygote is.
$(B)/tests/bench/sandbox_reference: $(B)/tests/bench/sandbox_reference.o $(ZYGOTE_LIBS)
	$(zygote-link)
# A zygote in which print() makes system calls: native code of an attacker, in a real daemon.
ATTACKER := $(B)/tests/attacker/c9d-zygote
$(B)/tests/attacker/attacker.o: $(W)/sandbox/.made $(GENERATED)
$(B)/tests/attacker/attacker.o: CFLAGS_ALL += -I$(W)/sandbox $(call pkg-cflags,$(PKG_sandbox))
$(ATTACKER): $(B)/sandbox/main.o $(B)/tests/attacker/attacker.o $(ZYGOTE_LIBS)
	$(Q)$(CC) $(LDFLAGS_ALL) $(ZYGOTE_LINK) -Wl,--wrap=vm_notice_print $(filter %.o,$^) -o $@ \
	  -Wl,--start-group $(ZYGOTE_LIBS) -Wl,--end-group $(call pkg-libs,lua5.4) -lm
# In the plain build a fuzz target runs over its corpus as a test; in VARIANT=fuzz it is libFuzzer's, in
# VARIANT=afl AFL++'s.
ifneq ($(filter fuzz afl,$(VARIANT)),)
$(FUZZERS): %: %.o $(TEST_LIBS)
	$(call link,$<,$(TEST_LIBS),$(call pkg-libs,$(TEST_PKGS)) -ldl -lm -fsanitize=fuzzer)
else
$(FUZZERS): %: %.o $(B)/tests/fuzz/driver.o $(TEST_LIBS)
	$(call link,$< $(B)/tests/fuzz/driver.o,$(TEST_LIBS),$(call pkg-libs,$(TEST_PKGS)) -ldl -lm)
endif
# Plugins that the host must refuse: tests/plugins/NAME.c, one file each.
TEST_PLUGINS := $(patsubst tests/plugins/%.c,$(B)/tests/plugins/%.so,$(wildcard tests/plugins/*.c))
$(TEST_PLUGINS): $(B)/tests/plugins/%.so: tests/plugins/%.c $(W)/abi/.made core/abi/plugin.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(CFLAGS_ALL)) -I$(W)/abi $(LDFLAGS_ALL) -shared $< -o $@
# What tests load into the daemon: tests/shims/NAME.c, one file each.
TEST_SHIMS := $(patsubst tests/shims/%.c,$(B)/tests/shims/%.so,$(wildcard tests/shims/*.c))
$(TEST_SHIMS): $(B)/tests/shims/%.so: tests/shims/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -O1 -g -std=gnu11 -D_GNU_SOURCE $(WARN) -fPIC -shared $< -o $@ -ldl
# The fuzz targets of a plugin are linked with its own objects, so that they are instrumented too.
$(foreach p,openai fake,$(eval $(B)/tests/fuzz/host_model_$p: private LINK_EXTRA += $$(POBJ_model_$p)))
$(foreach p,openai fake,$(eval $(B)/tests/fuzz/host_model_$p: $$(POBJ_model_$p)))
# This one runs on the real store.
$(B)/tests/fuzz/service_body: | $(B)/plugins/storage_sqlite.so
# The schema suite runner has the name its users know.
$(B)/tests/schema_suite: $(B)/tests/unit/schema_suite
	@cp $< $@

-include $(shell find $(B) -name '*.d' -not -path '$(B)/*/build/*' 2>/dev/null)
.SECONDARY:

# ---- targets -----------------------------------------------------------------------------------------
.DEFAULT_GOAL := all
.PHONY: all deps build demo check test crash run bench asan ubsan tsan fuzz fuzz-afl lint-openapi contract-openapi coverage valgrind format check-format tidy install clean help

all: build
# A build tree is laid out like an installation: c9d finds what is beside it.
$(B)/skills:
	@mkdir -p $(@D) && ln -sfn $(abspath skills) $@

build: $(PROGRAMS) $(PLUGIN_SOS) $(B)/skills ## compile everything
tests: build $(TESTS_C) $(TEST_PLUGINS) $(TEST_SHIMS) $(ATTACKER) $(FUZZERS) $(B)/tests/schema_suite

# Which parts of packaging/build-deps.txt a target needs.
PARTS := build test bench dev
demo run: PARTS := build
check asan ubsan tsan: PARTS := build test
bench: PARTS := build bench
lint-openapi contract-openapi: PARTS := build test lint
fuzz fuzz-afl coverage valgrind: PARTS := build test dev
deps: ## install the Debian packages that are missing
	@packaging/install-deps.sh $(PARTS)

demo: deps ## the main job, from nothing, in one command
	@$(MAKE) --no-print-directory -j$$(nproc) build
	@packaging/demo.sh $(B)

check: deps ## build and run every test
	@$(MAKE) --no-print-directory -j$$(nproc) tests
	@$(MAKE) --no-print-directory test

# A test that hangs fails, and so does one that leaves a process behind; the minutes are ten times what the
# slowest takes.
PROVE := prove --exec 'tests/alone.py $(if $(SANITIZED),1200,300)' --timer --failures -j2
# TSan holds signals back until the next system call, so it cannot run what a signal stops or what shall
# crash: these tests are of the sandbox's single thread, in which it would find nothing.
# Nor can its runtime, which has a thread, enter a user namespace (sandbox_layers).
NOT_TSAN := $(if $(filter tsan,$(VARIANT)),%/sandbox_layers %/sandbox_vm_run %/sandbox_vm_effects %/sandbox_children)
test: tests
	@C9_BUILD=$(abspath $(B)) C9_SANITIZED=$(if $(SANITIZED),1,) tests/walls.sh
	@C9_BUILD=$(abspath $(B)) C9_SANITIZED=$(if $(SANITIZED),1,) \
	  $(PROVE) $(filter-out %/schema_suite $(NOT_TSAN),$(TESTS_C)) $(FUZZERS) $(TESTS_PY)

HOURS ?= 1
crash: deps ## kill the daemon, zygote and executors at random for HOURS
	@$(MAKE) --no-print-directory -j$$(nproc) build
	@C9_BUILD=$(abspath $(B)) C9_SANITIZED=$(if $(SANITIZED),1,) tests/crash/survive.py --hours $(HOURS)

run: deps ## the daemon in the foreground, state in ./var
	@$(MAKE) --no-print-directory -j$$(nproc) build
	@packaging/run.sh $(B)

bench: deps ## measure, each figure beside its reference
	@$(MAKE) --no-print-directory -j$$(nproc) build $(BENCHES)
	@C9_BUILD=$(abspath $(B)) tests/bench/run.sh

asan ubsan tsan: deps ## the tests under a sanitizer
	@$(MAKE) --no-print-directory -j$$(nproc) VARIANT=$@ tests
	@$(MAKE) --no-print-directory VARIANT=$@ test

valgrind: deps ## the C tests under valgrind
	@$(MAKE) --no-print-directory -j$$(nproc) tests
	@C9_BUILD=$(abspath $(B)) tests/valgrind.sh $(filter-out %/schema_suite $(B)/tests/sandbox/%,$(TESTS_C))

FUZZ_SECONDS ?= 60
fuzz: deps ## every fuzz target for FUZZ_SECONDS each
	@$(MAKE) --no-print-directory -j$$(nproc) VARIANT=fuzz $(FUZZERS:$(B)/%=build/fuzz/%)
	@tests/fuzz/run.sh build/fuzz/tests/fuzz $(FUZZ_SECONDS)

AFL_TARGETS ?= wire_reader wire_start supervisor_run
fuzz-afl: deps ## AFL_TARGETS under AFL++ for FUZZ_SECONDS each
	@$(MAKE) --no-print-directory -j$$(nproc) VARIANT=afl $(AFL_TARGETS:%=build/afl/tests/fuzz/%)
	@tests/fuzz/run_afl.sh build/afl/tests/fuzz $(FUZZ_SECONDS) $(AFL_TARGETS)

lint-openapi: deps ## api/openapi.json under two linters from npm
	@tests/openapi.sh lint

# What the proxy cannot stand before:
#   attacker border hostile language commands   need a build of their own, or no HTTP at all
#   errors service                              bytes that are no HTTP, sockets of their own
#   execute streams survive                     streams as they come: it waits for the end of an answer
#   hooks events skills                         bodies byte for byte (signatures, JSON and UTF-8 that are wrong): it writes them anew
#   jwt tokens kept                             headers and HEAD as they are: it refuses or adds some itself
NOT_PROXIED := $(patsubst %,tests/api/%.py,attacker border hostile language commands errors service execute streams \
                 survive hooks events skills jwt tokens kept)
contract-openapi: deps ## the API tests through a proxy from npm that knows api/openapi.json
	@$(MAKE) --no-print-directory -j$$(nproc) build
	@C9_BUILD=$(abspath $(B)) tests/openapi.sh contract $(filter-out $(NOT_PROXIED),$(wildcard tests/api/*.py))

coverage: deps ## the tests with line coverage, report in build/coverage/
	@$(MAKE) --no-print-directory -j$$(nproc) VARIANT=coverage tests
	@$(MAKE) --no-print-directory VARIANT=coverage test
	@tests/coverage.sh build/coverage

format: ## clang-format every C file
	@git ls-files '*.c' '*.h' | xargs clang-format -i

check-format: ## fails when a C file is not as `make format` leaves it
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror

tidy: ## clang-tidy every C file of the rooms and plugins
	@packaging/tidy.sh "$(foreach r,$(ROOMS),$(DIR_$r):$(W)/$r) $(foreach d,$(sort plugins $(patsubst %/,%,$(dir $(wildcard plugins/*/*.c)))),$d:$(W)/abi)"

install: build ## DESTDIR= PREFIX=
	@packaging/install.sh "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)" "$(STATEDIR)" "$(LIBEXECDIR)" "$(PLUGINDIR)" "$(SKILLDIR)" "$(B)"

clean:
	rm -rf build

help:
	@grep -hE '^[a-z -]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 24
