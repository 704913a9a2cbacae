package io.github.phpsessionchat.android

import android.content.ContentResolver
import android.net.Uri
import android.provider.OpenableColumns
import io.github.phpsessionchat.NewFile
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/**
 * Returns the file behind a `content://` address, for [io.github.phpsessionchat.Chat.upload]. Reads from the provider,
 * so do not call it on the main thread.
 *
 * @throws IOException if the provider does not open it
 */
fun ContentResolver.newFile(uri: Uri): NewFile {
    var name: String? = null
    var size = -1L
    query(uri, arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE), null, null, null)?.use { row ->
        if (row.moveToFirst()) {
            name = row.getString(0)
            if (!row.isNull(1)) size = row.getLong(1)
        }
    }
    val source = NewFile.Source { openInputStream(uri) ?: throw FileNotFoundException("$uri") }
    // Some providers do not know the size. Uploads need it, so read once to count.
    if (size < 0) size = source.open().use { it.countBytes() }
    return NewFile.of(name ?: uri.lastPathSegment ?: "file", size, source)
}

private fun InputStream.countBytes(): Long {
    val buffer = ByteArray(65_536)
    var count = 0L
    while (true) {
        val read = read(buffer)
        if (read < 0) return count
        count += read
    }
}
