package io.github.phpsessionchat.app

import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.Context
import android.content.Intent
import android.net.Uri
import androidx.compose.runtime.mutableStateMapOf
import io.github.phpsessionchat.ChatFile
import io.github.phpsessionchat.android.AndroidChat
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** Maximum size of all downloaded files. */
private const val MAX_BYTES = 200L * 1024 * 1024

/** The folder of downloaded files. `res/xml/files.xml` lets other apps read the file that they are given. */
fun downloads(context: Context) = File(context.cacheDir, "downloads")

/** Downloads files for other apps. */
class FileOpener(private val context: Context, private val chat: AndroidChat, private val notices: Notices, private val scope: CoroutineScope) {
    private val mutableProgress = mutableStateMapOf<String, Float>()

    /** The part of each file that is downloaded now, by its ID. */
    val progress: Map<String, Float> get() = mutableProgress

    /** Opens a file with another app. */
    fun open(file: ChatFile) = load(listOf(file)) { (uri) ->
        Intent(Intent.ACTION_VIEW).setDataAndType(uri, file.type).addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
    }

    /** Sends files to another app, which the user chooses. */
    fun share(files: List<ChatFile>) = load(files) { uris ->
        val send = if (uris.size == 1) Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_STREAM, uris[0])
        else Intent(Intent.ACTION_SEND_MULTIPLE).putParcelableArrayListExtra(Intent.EXTRA_STREAM, ArrayList(uris))
        send.type = files.map { it.type }.distinct().singleOrNull() ?: "*/*"
        send.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        send.clipData = ClipData.newRawUri(null, uris[0]).apply { for (uri in uris.drop(1)) addItem(ClipData.Item(uri)) }
        Intent.createChooser(send, null)
    }

    /** @param intentFor returns what is opened when the files are downloaded */
    private fun load(files: List<ChatFile>, intentFor: (List<Uri>) -> Intent) {
        if (files.any { it.id in mutableProgress }) return
        scope.launch {
            val isOpened = try {
                val uris = files.map { file -> uriOf(context, download(context, chat, file) { mutableProgress[file.id] = it }) }
                context.startActivity(intentFor(uris))
                true
            } catch (_: IOException) {
                false
            } catch (_: ActivityNotFoundException) {
                false
            } finally {
                for (file in files) mutableProgress -= file.id
            }
            if (!isOpened) notices.show("unreadable")
        }
    }
}

/**
 * Downloads a file unless it was downloaded before.
 *
 * @param onProgress called with the downloaded part, on any thread
 * @throws IOException if it cannot be downloaded
 */
suspend fun download(context: Context, chat: AndroidChat, file: ChatFile, onProgress: (Float) -> Unit = {}): File = withContext(Dispatchers.IO) {
    // The file's name is a user's choice, so only the folder's name is ours, and a slash cannot leave it.
    val folder = File(downloads(context), file.id.filter(Char::isLetterOrDigit))
    folder.mkdirs()
    val target = File(folder, file.name.replace(Regex("""[/\\\p{Cntrl}]"""), "_").ifBlank { "file" }.trimStart('.'))
    if (target.isFile && target.length() == file.size) return@withContext target
    onProgress(0f)
    deleteOldest(downloads(context), MAX_BYTES - file.size, folder)
    chat.http.newCall(chat.client.fileRequest(file)).execute().use { response ->
        if (!response.isSuccessful) throw IOException("HTTP ${response.code}")
        target.outputStream().use { output ->
            copy(response.body.byteStream(), output, file.size) {
                ensureActive()
                onProgress(it)
            }
        }
    }
    target
}

/** Makes the downloaded files fit into a size. @param kept the folder of a file that stays */
private fun deleteOldest(downloads: File, maxBytes: Long, kept: File) {
    var bytes = 0L
    for (folder in downloads.listFiles().orEmpty().sortedByDescending { it.lastModified() }) {
        bytes += folder.walk().filter(File::isFile).sumOf { it.length() }
        if (bytes > maxBytes && folder != kept) folder.deleteRecursively()
    }
}

/** @throws IOException if there are more bytes than the server said */
private fun copy(input: InputStream, output: OutputStream, size: Long, onProgress: (Float) -> Unit) {
    val part = ByteArray(DEFAULT_BUFFER_SIZE)
    var copied = 0L
    while (true) {
        val count = input.read(part)
        if (count < 0) return
        copied += count
        if (copied > size) throw IOException("too many bytes")
        output.write(part, 0, count)
        onProgress(copied.toFloat() / size)
    }
}
