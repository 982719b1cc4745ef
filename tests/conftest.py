"""Under pytest, and nowhere else, every shape annotation of the models is enforced."""

from collections.abc import Iterator

import pytest
from jaxtyping import install_import_hook

# The tower lets an int stand for a float, as every type checker does.
install_import_hook("pretrained", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    # Pages run on one thread, and sums are rounded otherwise on two; networks as small as these are no slower on one.
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
