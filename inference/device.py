"""Where the numbers are computed, and in which precision."""

from functools import cache

import torch

from inference.errors import ModelMissing


def choose_device(name: str) -> torch.device:
    """The named device, or CUDA if there is one, else the CPU."""
    if not name:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelMissing(f"There is no device called “{name}”.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelMissing(f"The device “{name}” was asked for, but this machine has no usable CUDA device.")
    return device


@cache
def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 natively; without it bf16 is slower than fp32."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


@cache
def cpu_has_amx() -> bool:
    """Whether it multiplies tiles of bf16 at once; torch's attention in bf16 is fast only then."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def choose_dtype(device: torch.device) -> torch.dtype:
    """For a generator: bf16 wherever the hardware knows it (on the CPU it halves the memory traffic)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if device.type == "cpu" and cpu_has_bf16() else torch.float32
