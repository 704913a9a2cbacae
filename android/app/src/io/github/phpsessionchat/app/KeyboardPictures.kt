package io.github.phpsessionchat.app

import android.net.Uri
import android.view.inputmethod.EditorInfo
import android.view.inputmethod.InputConnection
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberUpdatedState
import androidx.compose.ui.ExperimentalComposeUiApi
import androidx.compose.ui.platform.InterceptPlatformTextInput
import androidx.compose.ui.platform.PlatformTextInputInterceptor
import androidx.compose.ui.platform.PlatformTextInputMethodRequest
import androidx.core.view.inputmethod.EditorInfoCompat
import androidx.core.view.inputmethod.InputConnectionCompat

/**
 * Lets a text field take pictures and stickers of the keyboard.
 *
 * @param onPicture null if the field takes no pictures
 */
@OptIn(ExperimentalComposeUiApi::class)
@Composable
fun WithKeyboardPictures(onPicture: ((Uri) -> Unit)?, field: @Composable () -> Unit) {
    val receive by rememberUpdatedState(onPicture)
    val interceptor = remember { PlatformTextInputInterceptor { request, next -> next.startInputMethod(WithPictures(request) { receive }) } }
    InterceptPlatformTextInput(interceptor, field)
}

@OptIn(ExperimentalComposeUiApi::class)
private class WithPictures(private val request: PlatformTextInputMethodRequest, private val receiver: () -> ((Uri) -> Unit)?) :
    PlatformTextInputMethodRequest {
    override fun createInputConnection(outAttributes: EditorInfo): InputConnection {
        val connection = request.createInputConnection(outAttributes)
        if (receiver() != null) EditorInfoCompat.setContentMimeTypes(outAttributes, arrayOf("image/*"))
        @Suppress("DEPRECATION") // The other one needs a view for each field.
        return InputConnectionCompat.createWrapper(connection, outAttributes) { content, flags, _ ->
            val receive = receiver()
            if (flags and InputConnectionCompat.INPUT_CONTENT_GRANT_READ_URI_PERMISSION != 0) content.requestPermission()
            receive?.invoke(content.contentUri)
            receive != null
        }
    }
}
