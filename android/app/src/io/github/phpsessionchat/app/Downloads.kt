package io.github.phpsessionchat.app

import android.content.ActivityNotFoundException
import android.content.Context
import android.content.Intent
import androidx.core.content.FileProvider
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.android.AndroidChat
import java.io.File
import java.io.IOException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** The folder of opened files. `res/xml/downloads.xml` lets other apps read the file that they are given. */
fun downloads(context: Context) = File(context.cacheDir, "downloads")

/**
 * Downloads a file and opens it with another app.
 *
 * @throws IOException if it cannot be downloaded, or no app opens it
 */
suspend fun openFile(context: Context, chat: AndroidChat, file: ChatFile) {
    val request = chat.client.fileRequest(file)
    val local = withContext(Dispatchers.IO) {
        // The file's name is a user's choice, so only the folder's name is ours, and a slash cannot leave it.
        val folder = File(downloads(context), file.id.filter(Char::isLetterOrDigit))
        folder.mkdirs()
        val target = File(folder, file.name.replace(Regex("""[/\\\p{Cntrl}]"""), "_").ifBlank { "file" }.trimStart('.'))
        chat.http.newCall(request).execute().use { response ->
            if (!response.isSuccessful) throw IOException("HTTP ${response.code}")
            target.outputStream().use { response.body.byteStream().copyTo(it) }
        }
        target
    }
    val uri = FileProvider.getUriForFile(context, "${context.packageName}.downloads", local)
    val intent = Intent(Intent.ACTION_VIEW).setDataAndType(uri, file.type).addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
    try {
        context.startActivity(intent)
    } catch (e: ActivityNotFoundException) {
        throw IOException(e)
    }
}
