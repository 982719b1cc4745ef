"""Shared by the tests of the models: every registered encoder-decoder with random weights."""

from typing import Any

import pytest

from pretrained.registry import ENTRIES, Entry
from pretrained.translation import Translator
from tests.models import tiny


@pytest.fixture(params=ENTRIES, ids=lambda entry: entry.name)
def listed(request: pytest.FixtureRequest) -> Entry:
    found: Entry = request.param
    return found


@pytest.fixture(params=tiny.ENCODER_DECODERS, ids=lambda entry: entry.name)
def entry(request: pytest.FixtureRequest) -> Entry:
    found: Entry = request.param
    return found


@pytest.fixture(params=tiny.SHIPPED, ids=lambda entry: entry.name)
def shipped(request: pytest.FixtureRequest) -> Entry:
    found: Entry = request.param
    return found


@pytest.fixture(params=[e for e in tiny.SHIPPED if e.task.startswith("translation")], ids=lambda entry: entry.name)
def shipped_translator(request: pytest.FixtureRequest) -> Entry:
    found: Entry = request.param
    return found


@pytest.fixture
def network(entry: Entry) -> Any:
    return tiny.network(entry)


@pytest.fixture
def model(entry: Entry) -> Translator:
    return tiny.translator(entry)
