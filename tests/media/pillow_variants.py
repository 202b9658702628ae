"""Writes pictures of many kinds into a folder, with what Pillow makes of them: NAME, NAME.remote.rgb, NAME.native.rgb and
a line "NAME HEIGHT WIDTH HEIGHT WIDTH" each (remote, native) in list.txt. Used by pillow_parity_test.cpp."""
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageFile, ImageOps

out = sys.argv[1]
ImageFile.MAXBLOCK = 1 << 24
rng = np.random.default_rng(1)
names = []


def picture(height, width):
    y, x = np.mgrid[0:height, 0:width]
    a = np.stack([x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x * y) % 256], -1)
    return Image.fromarray((a + rng.integers(-20, 20, a.shape)).clip(0, 255).astype(np.uint8))


def save(image, name, **options):
    try:
        image.save(os.path.join(out, name), **options)
    except Exception as error:  # a Pillow without that codec
        print(f"left out: {name}: {error}", file=sys.stderr)
        return
    names.append(name)


def write(name, content):
    with open(os.path.join(out, name), "wb") as f:
        f.write(content)
    names.append(name)


image, odd, one, large = picture(67, 91), picture(5, 3), picture(1, 1), picture(133, 217)

# JPEG: qualities, subsampling, scans; grey, CMYK, YCCK, without Adobe's marker; EXIF and XMP orientation.
for quality in (10, 75, 100):
    for sampling in (0, 1, 2):
        for progressive in (False, True):
            save(large, f"j{quality}_{sampling}_{int(progressive)}.jpg", quality=quality, subsampling=sampling, progressive=progressive)
for sampling in (0, 1, 2):
    save(odd, f"jodd{sampling}.jpg", subsampling=sampling)
    save(one, f"jone{sampling}.jpg", subsampling=sampling)
save(image.convert("L"), "jgrey.jpg")
save(image, "jrgb.jpg", keep_rgb=True)
save(image.convert("CMYK"), "jcmyk.jpg", quality=90)
cmyk = bytearray(open(os.path.join(out, "jcmyk.jpg"), "rb").read())
at = cmyk.find(b"Adobe")
ycck = bytearray(cmyk)
ycck[at + 11] = 2
write("jycck.jpg", ycck)
length = struct.unpack(">H", cmyk[at - 2 : at])[0]
write("jcmyk_plain.jpg", cmyk[: at - 4] + cmyk[at - 2 + length :])
for orientation in range(10):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for suffix, options in ((".jpg", {}), (".png", {}), (".webp", {"lossless": True}), (".avif", {})):
        save(image, f"exif{orientation}{suffix}", exif=exif, **options)
    if 1 <= orientation <= 8:
        save(image, f"turned{orientation}.tif", tiffinfo={274: orientation})
        save(image, f"turned{orientation}_lzw.tif", tiffinfo={274: orientation}, compression="tiff_lzw")
save(image, "jxmp.jpg", xmp=b'<x tiff:Orientation="6"/>')


# PNG: every colour type and depth, interlaced and not, palettes short and transparent.
def png(width, height, depth, color, rows, interlace=0, palette=None):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))
    head += chunk(b"PLTE", palette) if palette else b""
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


width, height = 21, 13
passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
for color, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
    for depth in depths:
        for interlace in (0, 1):
            rows = b""
            for x0, y0, dx, dy in passes if interlace else ((0, 0, 1, 1),):
                columns, lines = (width - x0 + dx - 1) // dx, (height - y0 + dy - 1) // dy
                if columns > 0 and lines > 0:
                    rows += b"".join(b"\0" + rng.bytes((columns * channels[color] * depth + 7) // 8) for _ in range(lines))
            palette = rng.bytes(3 << depth) if color == 3 else None
            write(f"png_{color}_{depth}_{interlace}.png", png(width, height, depth, color, rows, interlace, palette))
write("png_short_palette.png", png(width, height, 8, 3, b"".join(b"\0" + rng.bytes(width) for _ in range(height)), 0, rng.bytes(27)))
save(image.quantize(20), "png_transparent.png", transparency=bytes(range(0, 200, 10)))
save(image, "animated.png", save_all=True, append_images=[image.transpose(0)])

# WebP, GIF, AVIF
alpha = image.convert("RGBA")
alpha.putalpha(image.convert("L"))
for quality in (5, 80, 100):
    save(large, f"w{quality}.webp", quality=quality)
save(large, "wlossless.webp", lossless=True)
save(alpha, "walpha.webp", quality=70)
save(alpha, "walpha_exact.webp", lossless=True, exact=True)
save(odd, "wodd.webp")
save(alpha, "wanimated.webp", save_all=True, append_images=[alpha.transpose(0)], duration=100)
for colours in (2, 3, 16, 200, 256):
    save(image.quantize(colours), f"g{colours}.gif")
save(image.convert("L"), "ggrey.gif")
save(image.quantize(20), "gtransparent.gif", transparency=5)
save(image.quantize(64), "gplain.gif", interlace=0)
save(image.quantize(50), "ganimated.gif", save_all=True, append_images=[image.rotate(180).quantize(50)])
gif = bytearray(open(os.path.join(out, "g16.gif"), "rb").read())
wide = bytearray(gif)
wide[6:10] = struct.pack("<HH", 120, 100)
write("gscreen.gif", wide)
for size in ((91, 67), (90, 66), (3, 5), (1, 1)):
    for sampling in ("4:2:0", "4:2:2", "4:4:4", "4:0:0"):
        for span in ("full", "limited"):
            name = f"a{size[0]}_{sampling.replace(':', '')}_{span}.avif"
            save(large.crop((0, 0) + size), name, subsampling=sampling, range=span, quality=70)
save(alpha, "aalpha.avif")


# BMP: depths, masks, runs, both directions, OS/2
def bmp(width, height, bits, pixels, compression=0, palette=b"", masks=b"", size=40):
    head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, len(pixels), 0, 0, 0, 0) + masks
    head += b"\0" * (size - len(head))
    at = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at) + head + palette + pixels


width, height = 13, 7
for bits in (1, 4, 8, 16, 24, 32):
    pixels = rng.bytes((width * bits + 31) // 32 * 4 * height)
    for direction in (1, -1):
        write(f"b{bits}_{direction}.bmp", bmp(width, height * direction, bits, pixels, palette=rng.bytes(4 << bits) if bits <= 8 else b""))
for name, masks in (("565", (0xF800, 0x7E0, 0x1F)), ("555", (0x7C00, 0x3E0, 0x1F))):
    write(f"b16_{name}.bmp", bmp(width, height, 16, rng.bytes(28 * height), 3, masks=struct.pack("<III", *masks)))
for i, masks in enumerate(((0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0, 0, 0, 0))):
    write(f"b32_{i}.bmp", bmp(width, height, 32, rng.bytes(52 * height), 3, masks=struct.pack("<IIII", *masks), size=108))
line = bytes([0, 5, 1, 2, 3, 4, 5, 0, 8, 9, 0, 0])
write("b_rle8.bmp", bmp(width, height, 8, line * height + b"\0\1", 1, rng.bytes(1024)))
line = bytes([6, 0x3A, 0, 4, 0x12, 0x34, 3, 0x56, 0, 0])
write("b_rle4.bmp", bmp(width, height, 4, line * height + b"\0\1", 2, rng.bytes(64)))
write("b_os2.bmp", b"BM" + struct.pack("<IHHI", 0, 0, 0, 26 + 768) + struct.pack("<IHHHH", 12, width, height, 1, 8) + rng.bytes(768 + 16 * height))
for mode in ("1", "L", "P", "RGB", "RGBA"):
    save(image.convert(mode), f"b_{mode}.bmp")

# TIFF: modes by compressions
deep = rng.integers(0, 65536, (40, 50)).astype(np.uint16)
deep[:10] = rng.integers(0, 300, (10, 50))
for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"):
    stored = Image.fromarray(deep) if mode == "I;16" else image.convert(mode)
    kinds = [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"]
    kinds += ["group4"] if mode == "1" else []
    kinds += ["jpeg"] if mode in ("L", "RGB", "CMYK") else []
    for kind in kinds:
        save(stored, f"t_{mode.replace(';', '')}_{kind}.tif", compression=kind)
save(image.convert("YCbCr"), "t_YCbCr.tif", compression="jpeg")
save(image, "t_predictor.tif", compression="tiff_lzw", tiffinfo={317: 2})
save(image, "t_big.tif", big_tiff=True)

with open(os.path.join(out, "list.txt"), "w") as listing:
    for name in names:
        sizes = []
        for flow in ("remote", "native"):
            with Image.open(os.path.join(out, name)) as opened:
                turned = ImageOps.exif_transpose(opened) if flow == "native" else opened
                rgb = np.asarray(turned.convert("RGB"))
            sizes += rgb.shape[:2]
            rgb.tofile(os.path.join(out, f"{name}.{flow}.rgb"))
        print(name, *sizes, file=listing)
