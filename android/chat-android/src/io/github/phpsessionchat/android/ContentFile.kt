package io.github.phpsessionchat.android

import android.content.ContentResolver
import android.net.Uri
import android.os.Build
import android.provider.OpenableColumns
import io.github.phpsessionchat.NewFile
import java.io.FileNotFoundException
import java.io.IOException
import java.io.OutputStream

/**
 * Returns the file behind a `content://` address, for [io.github.phpsessionchat.Chat.upload]. From Android 9, a large
 * picture is scaled down, and one that browsers do not show becomes a JPEG. Reads from the provider, so do not call it on
 * the main thread.
 *
 * @throws IOException if the provider does not open it
 */
fun ContentResolver.newFile(uri: Uri): NewFile {
    var name: String? = null
    var size = -1L
    try {
        query(uri, arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE), null, null, null)?.use { row ->
            // Some providers return other columns.
            val nameColumn = row.getColumnIndex(OpenableColumns.DISPLAY_NAME)
            val sizeColumn = row.getColumnIndex(OpenableColumns.SIZE)
            if (row.moveToFirst()) {
                if (nameColumn >= 0) name = row.getString(nameColumn)
                if (sizeColumn >= 0 && !row.isNull(sizeColumn)) size = row.getLong(sizeColumn)
            }
        }
    } catch (e: RuntimeException) {
        // The provider is broken, or has taken its permission back.
        throw IOException(e)
    }
    val source = NewFile.Source { openInputStream(uri) ?: throw FileNotFoundException("$uri") }
    // Some providers do not know the size, or return 0. Uploads need it, so read once to count.
    if (size <= 0) size = countBytes(source)
    val picture = if (Build.VERSION.SDK_INT >= 28) smallerPicture(uri, size) else null
    val fileName = name ?: uri.lastPathSegment ?: "file"
    if (picture == null) return NewFile.of(fileName, size, source)
    return NewFile.of(fileName.replace(Regex("""\.[^.]*$"""), "") + picture.ending, picture.bytes.size.toLong()) { picture.bytes.inputStream() }
}

private fun countBytes(source: NewFile.Source): Long = try {
    source.open().use { it.copyTo(NoOutput) }
} catch (e: RuntimeException) {
    throw IOException(e)
}

private object NoOutput : OutputStream() {
    override fun write(byte: Int) = Unit

    override fun write(bytes: ByteArray, offset: Int, length: Int) = Unit
}
