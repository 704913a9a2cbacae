package io.github.phpsessionchat.android

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ImageDecoder
import android.net.Uri
import android.os.Build
import androidx.annotation.RequiresApi
import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer

/** A picture with more pixels on a side, or with more bytes, is encoded again, as in `client/src/chat/smaller-picture.ts`. */
private const val MAX_SIDE = 2560
private const val MAX_BYTES = 2 * 1024 * 1024
private const val QUALITY = 88

/** Larger files would need too much memory. */
private const val MAX_DECODED_BYTES = 64 * 1024 * 1024

@Suppress("DEPRECATION") // WEBP_LOSSY exists since Android 11.
private val WEBP = if (Build.VERSION.SDK_INT >= 30) Bitmap.CompressFormat.WEBP_LOSSY else Bitmap.CompressFormat.WEBP

private class Target(val format: Bitmap.CompressFormat, val ending: String, val isAlways: Boolean = false)

/** What each type is encoded as. GIFs are not encoded, because they would lose their animation. */
private val TARGETS = mapOf(
    "image/jpeg" to Target(Bitmap.CompressFormat.JPEG, ".jpg"),
    "image/png" to Target(WEBP, ".webp"),
    "image/webp" to Target(WEBP, ".webp"),
    "image/avif" to Target(WEBP, ".webp"),
    // Browsers do not show these.
    "image/heic" to Target(Bitmap.CompressFormat.JPEG, ".jpg", isAlways = true),
    "image/heif" to Target(Bitmap.CompressFormat.JPEG, ".jpg", isAlways = true),
)

/** The types of files whose provider does not know more. */
private val UNKNOWN = setOf(null, "application/octet-stream")

internal class SmallerPicture(val bytes: ByteArray, val ending: String)

/**
 * Returns a picture scaled down, upright and without metadata such as its location; null if the file is to be sent as it
 * is.
 *
 * @param size the size of the file in bytes
 */
@RequiresApi(28)
internal fun ContentResolver.smallerPicture(uri: Uri, size: Long): SmallerPicture? = try {
    val type = getType(uri)
    // Other unknown files, such as raw pictures of cameras, contain a picture, but are more.
    val target = TARGETS[type] ?: if (type in UNKNOWN) TARGETS[bounds(uri).outMimeType]?.takeIf { it.isAlways } else null
    if (target == null) null else encode(uri, size, target)
} catch (_: IOException) {
    // The server decides about a file that this device cannot read.
    null
} catch (_: RuntimeException) {
    // The provider is broken.
    null
} catch (_: OutOfMemoryError) {
    // The picture is sent as it is, in small parts.
    null
}

/** Reads the type and the size of a picture. Some providers do not know the type. */
private fun ContentResolver.bounds(uri: Uri): BitmapFactory.Options {
    val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
    openInputStream(uri)?.use { BitmapFactory.decodeStream(it, null, bounds) }
    return bounds
}

@RequiresApi(28)
private fun ContentResolver.encode(uri: Uri, size: Long, target: Target): SmallerPicture? {
    val bounds = bounds(uri)
    val scale = minOf(1.0, MAX_SIDE.toDouble() / maxOf(bounds.outWidth, bounds.outHeight))
    val isSmall = scale == 1.0 && size <= MAX_BYTES
    if (bounds.outWidth <= 0 || size > MAX_DECODED_BYTES || (isSmall && !target.isAlways)) return null
    val file = openInputStream(uri)?.use { it.readUpTo(MAX_DECODED_BYTES) } ?: return null
    var isAnimated = false
    val picture = ImageDecoder.decodeBitmap(ImageDecoder.createSource(ByteBuffer.wrap(file))) { decoder, info, _ ->
        isAnimated = info.isAnimated
        // Compressing needs the pixels in memory.
        decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        decoder.setTargetSize(scaled(info.size.width, scale), scaled(info.size.height, scale))
    }
    val bytes = ByteArrayOutputStream()
    val isEncoded = !isAnimated && picture.compress(target.format, QUALITY, bytes)
    picture.recycle()
    val isLarger = scale == 1.0 && !target.isAlways && bytes.size() >= size
    return if (isEncoded && !isLarger) SmallerPicture(bytes.toByteArray(), target.ending) else null
}

/** Returns null if there are more bytes. The provider may have given a wrong size. */
private fun InputStream.readUpTo(max: Int): ByteArray? {
    val bytes = ByteArrayOutputStream()
    val part = ByteArray(DEFAULT_BUFFER_SIZE)
    while (true) {
        val count = read(part)
        if (count < 0) return bytes.toByteArray()
        if (bytes.size() + count > max) return null
        bytes.write(part, 0, count)
    }
}

private fun scaled(side: Int, scale: Double) = Math.round(side * scale).toInt().coerceAtLeast(1)
