"""The node classes, and the explicit list of them. Importing this loads no Qt, torch, transformers, trl or datasets."""

from ryven_llm_nodes.catalogue.adapters import LoRA
from ryven_llm_nodes.catalogue.node import LLMNode, Port
from ryven_llm_nodes.catalogue.outputs import ExportScript, SaveModel
from ryven_llm_nodes.catalogue.rewards import CombineRewards, RewardFunction, RewardModel
from ryven_llm_nodes.catalogue.sources import LoadDataset, LoadModel
from ryven_llm_nodes.catalogue.train import DPO, GRPO, PPO, SFT

ALL_NODES: tuple[type[LLMNode], ...] = (
    LoadModel,
    LoadDataset,
    LoRA,
    RewardFunction,
    RewardModel,
    CombineRewards,
    SFT,
    PPO,
    DPO,
    GRPO,
    SaveModel,
    ExportScript,
)

__all__ = [
    "ALL_NODES",
    "DPO",
    "GRPO",
    "PPO",
    "SFT",
    "CombineRewards",
    "ExportScript",
    "LLMNode",
    "LoRA",
    "LoadDataset",
    "LoadModel",
    "Port",
    "RewardFunction",
    "RewardModel",
    "SaveModel",
]
