package io.github.phpsessionchat.app.server

import android.content.ContentProvider
import android.content.ContentValues
import android.database.MatrixCursor
import android.graphics.Bitmap
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import org.robolectric.Robolectric

/** Another app, which has texts and pictures: `content://documents/NAME`. */
class Documents : ContentProvider() {
    override fun onCreate() = true

    private fun write(uri: Uri): File {
        val file = File(context!!.cacheDir, "document")
        if (isPicture(uri)) file.outputStream().use { Bitmap.createBitmap(40, 30, Bitmap.Config.ARGB_8888).compress(Bitmap.CompressFormat.PNG, 90, it) }
        else file.writeText("Text")
        return file
    }

    private fun isPicture(uri: Uri) = uri.path!!.endsWith(".png")

    override fun query(uri: Uri, columns: Array<String>?, where: String?, values: Array<String>?, order: String?) =
        MatrixCursor(arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)).apply {
            addRow(arrayOf<Any>(uri.lastPathSegment!!, write(uri).length()))
        }

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor = ParcelFileDescriptor.open(write(uri), ParcelFileDescriptor.MODE_READ_ONLY)

    override fun getType(uri: Uri) = if (isPicture(uri)) "image/png" else "text/plain"

    override fun insert(uri: Uri, values: ContentValues?) = null

    override fun delete(uri: Uri, where: String?, values: Array<String>?) = 0

    override fun update(uri: Uri, values: ContentValues?, where: String?, arguments: Array<String>?) = 0

    companion object {
        fun start() {
            Robolectric.buildContentProvider(Documents::class.java).create("documents")
        }
    }
}
