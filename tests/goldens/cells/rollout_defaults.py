# %% Rollout Function 'rollout'
import torch
from trl.models import unwrap_model_for_generation


def rollout(prompts, trainer):
    """Samples one completion per prompt from the policy, one prompt after the other."""
    tokenizer, device = trainer.processing_class, trainer.accelerator.device
    stops = {tokenizer.eos_token_id, tokenizer.pad_token_id}
    prompt_ids, completion_ids = [], []
    with torch.no_grad(), unwrap_model_for_generation(trainer.model_wrapped, trainer.accelerator) as model:
        for prompt in prompts:
            if isinstance(prompt, str):
                ids = tokenizer(prompt)["input_ids"]
            else:
                ids = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
            batch = torch.tensor([ids], device=device)
            made = model.generate(
                input_ids=batch, attention_mask=torch.ones_like(batch), generation_config=trainer.generation_config
            )[0, len(ids) :].tolist()
            end = next((place for place, token in enumerate(made) if token in stops), len(made) - 1)
            prompt_ids.append(ids)
            completion_ids.append(made[: end + 1])
    return {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": None}
