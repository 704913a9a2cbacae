package io.github.phpsessionchat.app

import android.annotation.SuppressLint
import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.Intent
import android.net.Uri
import android.webkit.RenderProcessGoneDetail
import android.webkit.ValueCallback
import android.webkit.WebChromeClient
import android.webkit.WebResourceRequest
import android.webkit.WebView
import android.webkit.WebViewClient
import androidx.activity.compose.BackHandler
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.ActivityResult
import androidx.activity.result.contract.ActivityResultContracts.StartActivityForResult
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.filled.Close
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.Scaffold
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.viewinterop.AndroidView
import java.net.URISyntaxException

/**
 * Shows the site's own page for a login or logout, and the pages to which it leads, such as the registration.
 *
 * @param onPage called after each page, because the user may be logged in or out now
 */
@Composable
fun SitePage(title: Int, address: String, onPage: () -> Unit, onClose: () -> Unit) {
    var hasCrashed by remember { mutableStateOf(false) }
    val bar = @Composable {
        TopBar(
            navigationIcon = { IconButton(onClick = onClose) { Icon(Icons.Filled.Close, stringResource(R.string.common_close)) } },
            title = { Text(stringResource(title), Modifier.semantics { heading() }, fontWeight = FontWeight.Bold) },
        )
    }
    Scaffold(topBar = bar) { inner ->
        Box(Modifier.fillMaxSize().padding(inner).consumeWindowInsets(inner).imePadding(), Alignment.Center) {
            // Not loaded again without the user, because the page may always crash.
            if (hasCrashed) LoadFailed { hasCrashed = false } else Page(address, onPage) { hasCrashed = true }
        }
    }
}

@Composable
private fun Page(address: String, onPage: () -> Unit, onCrash: () -> Unit) {
    var page by remember { mutableStateOf<WebView?>(null) }
    var canGoBack by remember { mutableStateOf(false) }
    BackHandler(canGoBack) { page?.goBack() }
    val ownPackage = LocalContext.current.packageName
    val files = remember { ChosenFiles(ownPackage) }
    val picker = rememberLauncherForActivityResult(StartActivityForResult(), files::finish)
    AndroidView(
        modifier = Modifier.fillMaxSize(),
        factory = { context ->
            WebView(context).apply {
                @SuppressLint("SetJavaScriptEnabled") // many login pages need it
                settings.javaScriptEnabled = true
                settings.domStorageEnabled = true
                webViewClient = object : WebViewClient() {
                    override fun onPageFinished(view: WebView, url: String) = onPage()

                    override fun doUpdateVisitedHistory(view: WebView, url: String, isReload: Boolean) {
                        canGoBack = view.canGoBack()
                    }

                    override fun shouldOverrideUrlLoading(view: WebView, request: WebResourceRequest): Boolean = openInApp(view, request)

                    // Otherwise Android ends the app.
                    override fun onRenderProcessGone(view: WebView, detail: RenderProcessGoneDetail): Boolean {
                        onCrash()
                        return true
                    }
                }
                // Without it, the page's dialogs are not shown.
                webChromeClient = object : WebChromeClient() {
                    override fun onShowFileChooser(view: WebView, callback: ValueCallback<Array<Uri>>, params: FileChooserParams): Boolean {
                        files.start(callback)
                        try {
                            picker.launch(params.createIntent())
                        } catch (_: ActivityNotFoundException) {
                            files.finish(null)
                        }
                        return true
                    }
                }
                page = this
                loadUrl(address)
            }
        },
        onRelease = WebView::destroy,
    )
}

/** Opens what web views cannot, such as mail addresses, telephone numbers, and the app of a login service. */
private fun openInApp(view: WebView, request: WebResourceRequest): Boolean {
    val address = request.url
    if (address.scheme in setOf("http", "https", "about", "blob", "data", "javascript", "file", "content")) return false
    // Frames, such as advertisements, need a tap.
    if (!request.isForMainFrame && !request.hasGesture()) return true
    try {
        val intent = when (address.scheme) {
            "mailto" -> Intent(Intent.ACTION_SENDTO, address)
            "tel" -> Intent(Intent.ACTION_DIAL, address)
            // A page may only open what it may open in browsers.
            "intent" -> Intent.parseUri(address.toString(), Intent.URI_INTENT_SCHEME).addCategory(Intent.CATEGORY_BROWSABLE).setComponent(null)
                .apply {
                    selector = null
                    flags = 0
                }
            else -> Intent(Intent.ACTION_VIEW, address).addCategory(Intent.CATEGORY_BROWSABLE)
        }
        if (intent.data?.scheme !in setOf("file", "content")) view.context.startActivity(intent)
    } catch (_: ActivityNotFoundException) {
        // The device has no app for it.
    } catch (_: URISyntaxException) {
        // The page has an error.
    } catch (_: RuntimeException) {
        // As above, or the app does not allow it.
    }
    return true
}

/** The files that a page asks for. The page waits until it gets an answer, also if the user chooses none. */
private class ChosenFiles(private val ownPackage: String) {
    private var callback: ValueCallback<Array<Uri>>? = null

    fun start(callback: ValueCallback<Array<Uri>>) {
        this.callback?.onReceiveValue(null)
        this.callback = callback
    }

    fun finish(result: ActivityResult?) {
        val data = result?.data?.takeIf { result.resultCode == Activity.RESULT_OK }
        val several = data?.clipData?.let { clip -> (0 until clip.itemCount).mapNotNull { clip.getItemAt(it).uri } }
        val files = (several ?: listOfNotNull(data?.data)).filter { isFromOtherApp(it, ownPackage) }
        callback?.onReceiveValue(files.toTypedArray().takeIf { it.isNotEmpty() })
        callback = null
    }
}
