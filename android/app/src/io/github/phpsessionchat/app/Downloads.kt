package io.github.phpsessionchat.app

import android.content.ActivityNotFoundException
import android.content.Context
import android.content.Intent
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.android.AndroidChat
import java.io.File
import java.io.IOException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** The folder of downloaded files. `res/xml/files.xml` lets other apps read the file that they are given. */
fun downloads(context: Context) = File(context.cacheDir, "downloads")

/**
 * Downloads a file and opens it with another app.
 *
 * @throws IOException if it cannot be downloaded, or no app opens it
 */
suspend fun openFile(context: Context, chat: AndroidChat, file: ChatFile) {
    val uri = uriOf(context, download(context, chat, file))
    val intent = Intent(Intent.ACTION_VIEW).setDataAndType(uri, file.type).addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
    try {
        context.startActivity(intent)
    } catch (e: ActivityNotFoundException) {
        throw IOException(e)
    }
}

/** Downloads a file unless it was downloaded before. @throws IOException if it cannot be downloaded */
suspend fun download(context: Context, chat: AndroidChat, file: ChatFile): File = withContext(Dispatchers.IO) {
    // The file's name is a user's choice, so only the folder's name is ours, and a slash cannot leave it.
    val folder = File(downloads(context), file.id.filter(Char::isLetterOrDigit))
    folder.mkdirs()
    val target = File(folder, file.name.replace(Regex("""[/\\\p{Cntrl}]"""), "_").ifBlank { "file" }.trimStart('.'))
    if (target.isFile && target.length() == file.size) return@withContext target
    chat.http.newCall(chat.client.fileRequest(file)).execute().use { response ->
        if (!response.isSuccessful) throw IOException("HTTP ${response.code}")
        target.outputStream().use { response.body.byteStream().copyTo(it) }
    }
    target
}
