package io.github.phpsessionchat.app

import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.lazy.LazyListScope
import androidx.compose.foundation.lazy.items
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableIntStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.Answers.Page
import io.github.phpsessionchat.android.ChatRequestException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch

/** A list that is loaded page by page. */
class Pages<T : Any>(private val scope: CoroutineScope, private val load: suspend (cursor: String?) -> Page<out T>) {
    var items by mutableStateOf<List<T>>(emptyList())
        private set
    var isComplete by mutableStateOf(false)
        private set
    var hasFailed by mutableStateOf(false)
        private set

    /** The number of loaded pages. */
    var count by mutableIntStateOf(0)
        private set

    private var cursor: String? = null
    private var loading: Job? = null

    fun loadMore() {
        if (isComplete || loading?.isActive == true) return
        hasFailed = false
        loading = scope.launch {
            try {
                val page = load(cursor)
                items += page.items
                cursor = page.next
                isComplete = page.next == null
                count++
            } catch (_: ChatRequestException) {
                hasFailed = true
            }
        }
    }

    fun remove(item: T) {
        items -= item
    }
}

/** @param keys a change of these loads the list again */
@Composable
fun <T : Any> rememberPages(vararg keys: Any?, load: suspend (cursor: String?) -> Page<out T>): Pages<T> {
    val scope = rememberCoroutineScope()
    return remember(*keys) { Pages(scope, load) }
}

/**
 * Shows the loaded items, and loads the next page when its end is visible.
 *
 * @param empty shown if the list has no items
 */
fun <T : Any> LazyListScope.pages(pages: Pages<T>, key: (T) -> Any, empty: @Composable () -> Unit = {}, item: @Composable (T) -> Unit) {
    items(pages.items, key) { item(it) }
    pagesEnd(pages, empty)
}

fun LazyListScope.pagesEnd(pages: Pages<*>, empty: @Composable () -> Unit = {}) {
    if (pages.isComplete && pages.items.isNotEmpty()) return
    item {
        when {
            pages.hasFailed -> LoadFailed(pages::loadMore)
            !pages.isComplete -> {
                LaunchedEffect(pages, pages.count) { pages.loadMore() }
                Loading()
            }
            else -> empty()
        }
    }
}

@Composable
fun Loading() {
    Box(Modifier.fillMaxWidth().padding(16.dp), contentAlignment = Alignment.Center) { CircularProgressIndicator() }
}

@Composable
fun LoadFailed(onRetry: () -> Unit) {
    Column(Modifier.fillMaxWidth().padding(16.dp), horizontalAlignment = Alignment.CenterHorizontally) {
        Text(stringResource(R.string.details_error))
        TextButton(onClick = onRetry) { Text(stringResource(R.string.common_again)) }
    }
}

/** Shown instead of a list without items. */
@Composable
fun Empty(title: Int, text: Int? = null) {
    Column(Modifier.fillMaxWidth().padding(24.dp), horizontalAlignment = Alignment.CenterHorizontally) {
        Text(stringResource(title), textAlign = TextAlign.Center, style = MaterialTheme.typography.titleMedium)
        if (text != null) {
            Text(stringResource(text), color = MaterialTheme.colorScheme.onSurfaceVariant, textAlign = TextAlign.Center)
        }
    }
}
