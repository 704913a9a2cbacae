package io.github.phpsessionchat.app

import android.content.ContentProvider
import android.content.ContentValues
import android.database.MatrixCursor
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import androidx.exifinterface.media.ExifInterface
import io.github.phpsessionchat.Samples
import io.github.phpsessionchat.android.newFile
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.RandomAccessFile
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Has one picture. */
private class Gallery : ContentProvider() {
    override fun onCreate() = true

    override fun query(uri: Uri, columns: Array<String>?, where: String?, values: Array<String>?, order: String?) =
        MatrixCursor(arrayOf("_id", OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)).apply {
            when (uri.lastPathSegment) {
                "17" -> addRow(arrayOf<Any>(17, "beds.jpg", 9))
                "camera" -> addRow(arrayOf<Any>(19, "IMG.1234.jpeg", 0))
                "online" -> addRow(arrayOf<Any>(18, "online.jpg", 0))
                "endless" -> addRow(arrayOf<Any>(20, "endless.jpeg", 9))
                "broken" -> throw UnsupportedOperationException()
            }
        }

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (uri.lastPathSegment == "gone") throw FileNotFoundException("$uri")
        val file = File(context!!.cacheDir, "picture")
        if (uri.lastPathSegment in listOf("camera", "endless")) takePicture(file) else file.writeText("a picture")
        if (uri.lastPathSegment == "endless") RandomAccessFile(file, "rw").use { it.setLength(64L * 1024 * 1024 + 1) }
        return ParcelFileDescriptor.open(file, ParcelFileDescriptor.MODE_READ_ONLY)
    }

    /** Writes a picture that was taken with the camera held upright. */
    private fun takePicture(file: File) {
        file.outputStream().use { Bitmap.createBitmap(4000, 3000, Bitmap.Config.ARGB_8888).compress(Bitmap.CompressFormat.JPEG, 90, it) }
        val exif = ExifInterface(file)
        exif.setAttribute(ExifInterface.TAG_ORIENTATION, "${ExifInterface.ORIENTATION_ROTATE_90}")
        exif.setAttribute(ExifInterface.TAG_GPS_LATITUDE, "48/1,8/1,0/1")
        exif.saveAttributes()
    }

    override fun getType(uri: Uri) = "image/jpeg"

    override fun insert(uri: Uri, values: ContentValues?) = null

    override fun delete(uri: Uri, where: String?, values: Array<String>?) = 0

    override fun update(uri: Uri, values: ContentValues?, where: String?, arguments: Array<String>?) = 0
}

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35])
class ContentFileTest {
    private val resolver = RuntimeEnvironment.getApplication().contentResolver

    @Before
    fun startGallery() {
        Robolectric.buildContentProvider(Gallery::class.java).create("gallery")
    }

    @Test
    fun takesTheNameAndSizeFromTheProvider() {
        assertEquals("beds.jpg, 9 bytes: a picture", Samples.read(resolver.newFile(Uri.parse("content://gallery/17"))))
    }

    @Test
    fun countsTheBytesIfTheProviderDoesNotKnowTheSize() {
        assertEquals("new.jpg, 9 bytes: a picture", Samples.read(resolver.newFile(Uri.parse("content://gallery/new.jpg"))))
        assertEquals("online.jpg, 9 bytes: a picture", Samples.read(resolver.newFile(Uri.parse("content://gallery/online"))))
    }

    @Test
    fun scalesALargePictureDownAndTurnsItUpright() {
        val file = resolver.newFile(Uri.parse("content://gallery/camera"))
        assertEquals("IMG.1234.jpg", Samples.nameOf(file))
        val bytes = Samples.bytesOf(file)
        val picture = BitmapFactory.decodeByteArray(bytes, 0, bytes.size)
        assertEquals(1920 to 2560, picture.width to picture.height)
        val exif = ExifInterface(bytes.inputStream())
        assertNull(exif.getAttribute(ExifInterface.TAG_GPS_LATITUDE))
        assertEquals(0, exif.rotationDegrees)
    }

    @Test
    fun doesNotDecodeAFileThatIsMuchLargerThanTheProviderSays() {
        assertEquals("endless.jpeg", Samples.nameOf(resolver.newFile(Uri.parse("content://gallery/endless"))))
    }

    @Test
    fun failsIfTheProviderIsBroken() {
        assertThrows(IOException::class.java) { resolver.newFile(Uri.parse("content://gallery/broken")) }
    }

    @Test
    fun failsIfTheFileIsGone() {
        assertThrows(FileNotFoundException::class.java) { resolver.newFile(Uri.parse("content://gallery/gone")) }
    }
}
