from __future__ import annotations

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor, nn, tensor

from iamm.encoder.convolutional import ConvolutionalEncoder
from tests.composing import config_of


@pytest.fixture
def noise():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (5, 3, 11, 13), generator=generator, dtype=torch.uint8)


def naive_convolution(picture: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """out[o, i, j] = b[o] + Σ w[o] · the 3×3 neighbourhood, zeros outside."""
    _, height, width = picture.shape
    wide = picture.new_zeros(picture.shape[0], height + 2, width + 2)
    wide[:, 1:-1, 1:-1] = picture
    cells = [
        (weight[o] * wide[:, i : i + 3, j : j + 3]).sum() + bias[o]
        for o in range(len(weight))
        for i in range(height)
        for j in range(width)
    ]
    return torch.stack(cells).view(len(weight), height, width)


def naive_group_norm(picture: Tensor, groups: int, weight: Tensor, bias: Tensor) -> Tensor:
    parts = [
        (part - part.mean()) / torch.sqrt(((part - part.mean()) ** 2).mean() + 1e-5) for part in picture.chunk(groups)
    ]
    return torch.cat(parts) * weight[:, None, None] + bias[:, None, None]


def naive_pooling(picture: Tensor) -> Tensor:
    _, height, width = picture.shape
    rows = [
        torch.stack([picture[:, i : i + 2, j : j + 2].flatten(1).max(dim=1).values for j in range(0, width - 1, 2)], 1)
        for i in range(0, height - 1, 2)
    ]
    return torch.stack(rows, dim=1)


def naive_encoder(encoder: ConvolutionalEncoder, picture: Tensor, groups: int) -> Tensor:
    """One picture → (T, D)."""
    picture = (picture - encoder.mean) / encoder.deviation
    for convolution, norm, _, _ in encoder.stages:
        picture = naive_convolution(picture, convolution.weight, convolution.bias)
        picture = naive_pooling(naive_group_norm(picture, groups, norm.weight, norm.bias).clamp(min=0))
    picture = naive_convolution(picture, encoder.project.weight, encoder.project.bias).clamp(min=0)
    places = [picture[:, i, j] for i in range(picture.shape[1]) for j in range(picture.shape[2])]
    return torch.stack(places) + encoder.position


def blocks(pictures: Tensor) -> Tensor:
    """Each pixel as 2×2 alike, which one stage's pooling makes one again."""
    return pictures.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def test_standardised_by_present_training_pictures(image_scene):
    """0, 51, 102, 255 of 255: mean 0.4; deviation √(4 (0.16 + 0.04 + 0 + 0.36) / 15) = √0.14933 = 0.38644."""
    pictures = tensor([[[[0, 51]]], [[[7, 9]]], [[[102, 255]]]], dtype=torch.uint8)
    scene = image_scene(blocks(pictures), tensor([True, False, True]))
    encoder = ConvolutionalEncoder(scene, 2, channels=[1], groups=1)
    torch.testing.assert_close(encoder.mean, tensor([[[0.4]]]))
    torch.testing.assert_close(encoder.deviation, tensor([[[0.3864367]]]))


def test_a_channel_without_contrast_does_not_divide_by_zero(image_scene, noise):
    flat = noise.clone()
    flat[:, 1] = 51
    encoder = ConvolutionalEncoder(image_scene(flat), 2, channels=[8])
    assert encoder.deviation[1].item() == pytest.approx(1e-3)
    assert encoder({"image": flat / 255.0}, torch.ones(5, dtype=torch.bool)).values.isfinite().all()


def test_set_weights_by_hand(image_scene):
    """Pictures of mean 0.4 and deviation 0.38644; D copies the place and its right neighbour's negative."""
    pictures = tensor([[[[0, 51]]], [[[102, 255]]]], dtype=torch.uint8)
    pictures = blocks(pictures)
    encoder = ConvolutionalEncoder(image_scene(pictures), 2, channels=[1], groups=1)
    encoder.stages = nn.MaxPool2d(2)
    encoder.project.weight.data.zero_()
    encoder.project.bias.data.zero_()
    encoder.project.weight.data[0, 0, 1, 1] = 1.0
    encoder.project.weight.data[1, 0, 1, 2] = -1.0
    values, allow = encoder({"image": pictures / 255.0}, tensor([True, True]))
    low, middle, high = -0.4 / 0.3864367, -0.2 / 0.3864367, 0.6 / 0.3864367
    expected = tensor([[[0.0, -middle], [0.0, 0.0]], [[0.0, 0.0], [high, 0.0]]])
    torch.testing.assert_close(values, expected)
    assert low < 0  # so that relu leaves 0 in the first place
    assert allow.all()


def test_equals_the_naive_loop_with_gradients(image_scene, noise, agree):
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(image_scene(noise), 5, channels=[4, 6], groups=2).double()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter)
    inputs = (noise[:2] / 255.0).double().requires_grad_()
    found = encoder({"image": inputs}, tensor([True, True])).values
    expected = torch.stack([naive_encoder(encoder, picture, groups=2) for picture in inputs])
    assert found.shape == (2, 2 * 3, 5)
    agree(found, expected, [inputs, *encoder.parameters()])


def test_attention_inside_equals_the_naive_loop_with_gradients(image_scene, noise, agree):
    """x_t + Σ_k softmax_k(n_tᵀ n_k / √D) n_k, n = LayerNorm x, for one picture at a time."""
    torch.manual_seed(0)
    inner = instantiate(config_of("attention=scaled_dot_product").attention)
    encoder = ConvolutionalEncoder(image_scene(noise), 4, channels=[4, 6], groups=2, attention=inner).double()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter)
    inputs = (noise[:2] / 255.0).double().requires_grad_()
    present = tensor([True, True])
    expected, weights = [], []
    for picture in inputs:
        places = naive_encoder(encoder, picture, groups=2)
        normed = torch.stack([encoder.norm(place) for place in places])
        weights.append(torch.stack([torch.stack([n @ m / 2 for m in normed]).softmax(0) for n in normed]))
        read = [sum(w * m for w, m in zip(row, normed, strict=True)) for row in weights[-1]]
        expected.append(places + torch.stack(read))
    agree(encoder({"image": inputs}, present).values, torch.stack(expected), [inputs, *encoder.parameters()])
    (found,) = encoder.attention_map({"image": inputs}, present)
    torch.testing.assert_close(found[:, 0], torch.stack(weights))


def test_an_absent_picture_has_no_part_in_attention(image_scene, noise):
    inner = instantiate(config_of("attention=multi_head").attention)
    encoder = ConvolutionalEncoder(image_scene(noise), 8, attention=inner).eval()
    inputs = noise / 255.0
    inputs[1] = torch.nan
    values, allow = encoder({"image": inputs}, tensor([True, False, True, True, True]))
    assert values[allow].isfinite().all()


def test_no_batch_mate_is_seen_in_training_either(image_scene, noise):
    encoder = ConvolutionalEncoder(image_scene(noise), 7).train()
    present = torch.ones(5, dtype=torch.bool)
    together = encoder({"image": noise / 255.0}, present).values
    torch.testing.assert_close(encoder({"image": noise[2:3] / 255.0}, present[:1]).values, together[2:3])


def test_dropout_drops_features(image_scene, noise):
    encoder = ConvolutionalEncoder(image_scene(noise), 7, dropout=0.5)
    inputs, present = {"image": noise / 255.0}, torch.ones(5, dtype=torch.bool)
    kept = encoder.eval()(inputs, present).values
    trained = encoder.train()(inputs, present).values
    torch.testing.assert_close(trained[trained != 0], 2 * kept[trained != 0])
    assert (trained == 0).sum() > (kept == 0).sum()


@pytest.mark.parametrize(("channels", "groups"), [([32, 60], 8), ([8, 8], 3)])
def test_refuses_groups_that_do_not_divide(image_scene, noise, channels, groups):
    with pytest.raises(
        ValueError, match=rf"`groups` must divide each of `channels`.* Found groups={groups}, channels="
    ):
        ConvolutionalEncoder(image_scene(noise), 7, channels=channels, groups=groups)


def test_refuses_pictures_too_small_for_the_stages(image_scene, noise):
    with pytest.raises(ValueError, match=r"halves a picture\. Found 11 pixels and 4 stages: give fewer `channels`\."):
        ConvolutionalEncoder(image_scene(noise), 7, channels=[8, 8, 8, 8])
