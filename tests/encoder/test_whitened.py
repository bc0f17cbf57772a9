from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.encoder.whitened import WhitenedEncoder, convolution, whitening


@pytest.fixture
def noise():
    return torch.randint(0, 256, (5, 3, 19, 23), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def patches_of(pictures: Tensor) -> Tensor:
    """Every 2×2 patch, channel by channel and row by row.  # (…, 4C)"""
    return torch.stack(
        [
            picture[:, i : i + 2, j : j + 2].flatten()
            for picture in pictures
            for i in range(picture.shape[1] - 1)
            for j in range(picture.shape[2] - 1)
        ]
    )


def test_filters_of_two_pixels_by_hand():
    """Patches (x, y, x, y) with x, y = ±½ around ½ independently: Λ = (½, ½, 0, 0), V pairs of equal pixels."""
    columns = torch.tensor([[0, 0], [0, 255], [255, 0], [255, 255]], dtype=torch.uint8)
    filters, shift = whitening(columns[:, None, None, :].expand(-1, 1, 2, -1))
    found = functional.conv2d(columns[:, None, None, :].expand(-1, 1, 2, -1) / 255.0, filters, shift)
    covariance = torch.cov(found.flatten(1).T)
    # unbiased covariance over 4 patches: each pixel 1/3, so that Λ = (2/3, 2/3, 0, 0), plus 5e-4 · 1/3
    expected = torch.tensor([0.0, 0.0, 1.0, 1.0]) * (2 / 3) / (2 / 3 + 5e-4 / 3)
    torch.testing.assert_close(covariance.diagonal()[:4], expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[:, 4:], -found[:, :4])


def test_whitened_patches_are_uncorrelated_and_of_variance_one(noise):
    smooth = functional.avg_pool2d(noise.float(), 3, stride=1).to(torch.uint8)  # neighbours are correlated
    filters, shift = whitening(smooth)
    found = patches_of(smooth / 255.0).double() @ filters.flatten(1).T.double() + shift
    half = found[:, :12]
    torch.testing.assert_close(half.mean(dim=0), torch.zeros(12).double(), atol=1e-4, rtol=0)
    variances = torch.linalg.eigvalsh(torch.cov(patches_of(smooth / 255.0).double().T))
    expected = torch.diag(variances / (variances + 5e-4 * variances.mean()))
    torch.testing.assert_close(torch.cov(half.T), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[:, 12:], -half)


def test_only_present_training_pictures_are_analysed(image_scene, noise):
    spoilt = noise.clone()
    spoilt[1] = 7
    here = torch.tensor([True, False, True, True, True])
    encoders = [WhitenedEncoder(image_scene(pictures, here), 5, channels=[4]) for pictures in (noise, spoilt)]
    torch.testing.assert_close(encoders[0].filters, encoders[1].filters, rtol=0, atol=0)
    torch.testing.assert_close(encoders[0].filters, whitening(noise[here])[0], rtol=0, atol=0)


def test_pictures_of_one_colour_give_finite_features(image_scene):
    flat = torch.full((5, 1, 19, 23), 51, dtype=torch.uint8)
    encoder = WhitenedEncoder(image_scene(flat), 5, channels=[4])
    assert encoder({"image": flat / 255.0}, torch.ones(5, dtype=torch.bool)).values.isfinite().all()


def test_a_convolution_begins_by_passing_its_channels_on():
    places = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    wider, narrower = convolution(3, 5), convolution(3, 2)
    torch.testing.assert_close(wider(places)[:, :3], places)
    torch.testing.assert_close(narrower(places), places[:, :2])
    assert wider.weight[3:].abs().min() > 0


def naive_norm(maps: Tensor, layer: nn.BatchNorm2d) -> Tensor:
    mean = maps.mean(dim=(0, 2, 3), keepdim=True)
    variance = ((maps - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    scale, bias = (part[:, None, None] for part in (layer.weight, layer.bias))
    return (maps - mean) / torch.sqrt(variance + 1e-5) * scale + bias


def naive_pool(maps: Tensor) -> Tensor:
    height, width = (size // 2 * 2 for size in maps.shape[2:])
    corners = [maps[:, :, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
    return torch.stack(corners).amax(dim=0)


def naive_gelu(maps: Tensor) -> Tensor:
    return maps * 0.5 * (1 + torch.erf(maps / 2**0.5))


def test_agrees_with_the_formula_with_gradients(image_scene, noise, agree):
    """Patches times filters, then two blocks, written out for the present pictures."""
    torch.manual_seed(0)
    encoder = WhitenedEncoder(image_scene(noise), 5, channels=[7]).double()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter)
    inputs = (noise / 255.0).double().requires_grad_()
    present = torch.tensor([True, True, False, True, True])
    values, allow = encoder({"image": inputs}, present)
    patches = patches_of(inputs[present]).view(4, 18, 22, 12)
    maps = naive_gelu(patches @ encoder.filters.flatten(1).T + encoder.shift).permute(0, 3, 1, 2)
    for first, _, norm, _, second, last, _ in encoder.blocks:
        maps = naive_gelu(naive_norm(naive_pool(functional.conv2d(maps, first.weight, padding=1)), norm))
        maps = naive_gelu(naive_norm(functional.conv2d(maps, second.weight, padding=1), last))
    assert maps.shape == (4, 5, 4, 5)
    agree(values[present], maps.flatten(2).transpose(1, 2), [inputs, *encoder.parameters()])
    assert values[2].abs().max() == 0
    assert allow.tolist() == [[here] * 20 for here in present.tolist()]


def test_evaluation_standardises_by_running_statistics(image_scene, noise):
    encoder = WhitenedEncoder(image_scene(noise), 5, channels=[4])
    inputs, present = {"image": noise / 255.0}, torch.ones(5, dtype=torch.bool)
    encoder(inputs, present)
    together = encoder.eval()(inputs, present).values
    alone = encoder({"image": inputs["image"][2:3]}, present[:1]).values
    torch.testing.assert_close(alone, together[2:3])


def test_small_pictures_are_halved_as_long_as_two_by_two_places_are_left(image_scene, noise):
    """19 × 23 pixels have 18 × 22 patches, then 9 × 11, 4 × 5, 2 × 2 places, and no fewer."""
    for channels, places in ([4], 4 * 5), ([4, 4], 2 * 2), ([4, 4, 4], 2 * 2):
        encoder = WhitenedEncoder(image_scene(noise), 5, channels=channels)
        values, _ = encoder({"image": noise / 255.0}, torch.ones(5, dtype=torch.bool))
        assert values.shape == (5, places, 5)
