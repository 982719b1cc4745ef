"""Under pytest, and nowhere else, every shape annotation of the models is enforced."""

from jaxtyping import install_import_hook

# The tower lets an int stand for a float, as every type checker does.
install_import_hook("pretrained", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
