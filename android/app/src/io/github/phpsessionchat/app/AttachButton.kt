package io.github.phpsessionchat.app

import android.content.ActivityNotFoundException
import android.content.Context
import android.content.pm.PackageManager
import android.net.Uri
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.OpenMultipleDocuments
import androidx.activity.result.contract.ActivityResultContracts.PickMultipleVisualMedia
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.activity.result.contract.ActivityResultContracts.TakePicture
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.padding
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Add
import androidx.compose.material3.DropdownMenu
import androidx.compose.material3.DropdownMenuItem
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.core.content.FileProvider
import java.io.File
import java.util.UUID

/**
 * Attaches a new picture of the camera, pictures and videos, or any files, for which the app needs no permission. Also
 * makes a poll or an event, except in a thread, and marks the message as important.
 */
@Composable
fun AttachButton(composing: Composing, actions: ConversationActions) {
    val context = LocalContext.current
    var isOpen by remember { mutableStateOf(false) }
    // Android may end the process while the camera is open.
    var picture by rememberSaveable { mutableStateOf<Uri?>(null) }
    val files = rememberLauncherForActivityResult(OpenMultipleDocuments(), actions::attach)
    val pictures = rememberLauncherForActivityResult(PickMultipleVisualMedia(), actions::attach)
    val camera = rememberLauncherForActivityResult(TakePicture()) { isTaken -> if (isTaken) actions.attach(listOfNotNull(picture)) }
    fun open(launch: () -> Unit) {
        isOpen = false
        try {
            launch()
        } catch (_: ActivityNotFoundException) {
            actions.report("no_app")
        }
    }
    Box(Modifier.padding(bottom = 4.dp)) {
        IconButton(onClick = { isOpen = true }) { Icon(Icons.Filled.Add, stringResource(R.string.file_attach)) }
        DropdownMenu(isOpen, onDismissRequest = { isOpen = false }) {
            if (context.packageManager.hasSystemFeature(PackageManager.FEATURE_CAMERA_ANY)) {
                Entry(R.string.view_take) {
                    open {
                        picture = newPicture(context)
                        camera.launch(picture!!)
                    }
                }
            }
            Entry(R.string.details_pictures) { open { pictures.launch(PickVisualMediaRequest(PickVisualMedia.ImageAndVideo)) } }
            Entry(R.string.details_files) { open { files.launch(arrayOf("*/*")) } }
            if (composing.defaultReplyTo == 0L) {
                Entry(R.string.poll_new) { open { actions.openNewPoll(isEvent = false) } }
                Entry(R.string.poll_newEvent) { open { actions.openNewPoll(isEvent = true) } }
            }
            Entry(if (composing.important) R.string.important_unmark else R.string.important_mark) {
                isOpen = false
                composing.important = !composing.important
            }
        }
    }
}

@Composable
private fun Entry(label: Int, onClick: () -> Unit) = DropdownMenuItem({ Text(stringResource(label)) }, onClick)

/** Returns an address to which the camera app may write a picture. */
private fun newPicture(context: Context): Uri {
    val folder = pictures(context)
    folder.mkdirs()
    return uriOf(context, File(folder, "${UUID.randomUUID()}.jpg"))
}

/** The folder of pictures that were taken. */
fun pictures(context: Context) = File(context.cacheDir, "pictures")

/** Returns an address of a file in the folders of `res/xml/files.xml`, for other apps. */
fun uriOf(context: Context, file: File): Uri = FileProvider.getUriForFile(context, "${context.packageName}.files", file)
