"""Sends a model to the Hugging Face Hub, with a model card."""

from pathlib import Path

from accelerate import PartialState
from huggingface_hub import HfApi, ModelCard, ModelCardData

from .pipeline import Pipeline

NOT_SENT = ["flow.json", "stage.json", "metrics.jsonl", "finished", "checkpoints/*"]  # records of a run


def push_model(
    pipeline: Pipeline,
    name: str,
    folder: str,
    repository: str,
    private: bool = True,
    license: str = "",
    about: str = "",
) -> str:
    """Upload the model in `folder` to `repository` on the Hub, with the login of this machine; return the folder.

    A model card (README.md) is written into the folder unless there is one.
    """
    if getattr(pipeline, "only", None) not in (None, name):
        return folder
    if PartialState().is_main_process:
        card = Path(folder) / "README.md"
        if not card.exists():
            model_card(repository, license, about).save(card)
        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, ignore_patterns=NOT_SENT)
    PartialState().wait_for_everyone()
    return folder


def model_card(repository: str, license: str, about: str) -> ModelCard:
    """What the model is, and how it is used."""
    data = ModelCardData(library_name="transformers", pipeline_tag="text-generation", license=license or None)
    name = repository.partition("/")[2] or repository
    use = f'from transformers import pipeline\n\ngenerate = pipeline("text-generation", "{repository}")'
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n# {name}\n\n{about}\n\n```python\n{use}\n```\n")
