package io.github.phpsessionchat.app

import android.content.Context
import android.os.SystemClock
import androidx.compose.foundation.background
import androidx.compose.foundation.border
import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.wrapContentHeight
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.LocalTextStyle
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.ProvideTextStyle
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.platform.LocalUriHandler
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextDecoration
import androidx.compose.ui.text.style.TextDirection
import androidx.compose.ui.unit.dp
import androidx.lifecycle.Lifecycle
import androidx.lifecycle.compose.LocalLifecycleOwner
import androidx.lifecycle.compose.currentStateAsState
import coil.compose.AsyncImage
import io.github.phpsessionchat.Card
import io.github.phpsessionchat.ConnectionState
import io.github.phpsessionchat.Message
import io.github.phpsessionchat.android.AndroidChat
import io.github.phpsessionchat.android.ChatRequestException
import java.util.UUID
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import okhttp3.HttpUrl.Companion.toHttpUrlOrNull

/** A card that is shown again after this time is requested again. */
private const val FRESH_MS = 15_000L

/** The site, as it answers this user. The suspending functions throw a [ChatRequestException]. */
interface CardSource {
    /** The name of the site, which marks its words. */
    val site: String

    /** Returns the address of a path on the site; null if it leads to another site. */
    fun address(path: String): String?

    /** Emits when the card of a message may have changed. */
    fun changes(message: Message): Flow<Unit>

    /** Returns the card of a message; null if it is not available to this user. */
    suspend fun card(message: Message): Card?

    /** Runs a button, and returns the card that replaces the old one. */
    suspend fun press(message: Message, button: String, clientId: String): Card?
}

class ChatCards(private val chat: AndroidChat, private val context: Context) : CardSource {
    private val page
        get() = (chat.me.value?.profileTemplate ?: context.getString(R.string.login_url)).toHttpUrlOrNull()
    private val language get() = context.resources.configuration.locales[0].toLanguageTag()

    override val site get() = chat.me.value?.siteName ?: page?.host.orEmpty()

    override fun address(path: String) =
        page?.let { page -> page.resolve(path)?.takeIf { it.scheme == page.scheme && it.host == page.host && it.port == page.port } }?.toString()

    override fun changes(message: Message) = chat.cardChanges.filter { it.room == message.room && it.card == message.card }.map {}

    override suspend fun card(message: Message): Card? = chat.request { card(message, language, it) }

    override suspend fun press(message: Message, button: String, clientId: String): Card? =
        chat.request { pressCard(message, button, clientId, language, it) }
}

/** The cards that the open room has shown. They are kept, so that the room does not jump when it is scrolled back. */
class SiteCards(val source: CardSource, private val scope: CoroutineScope, private val onError: (String) -> Unit) {
    private val byReference = mutableMapOf<String, SiteCard>()

    fun of(message: Message) = byReference.getOrPut("${message.id} ${message.card}") { SiteCard(message, source, scope, onError) }
}

class SiteCard(private val message: Message, private val source: CardSource, private val scope: CoroutineScope, private val onError: (String) -> Unit) {
    /** Null if the site shows this user no card, or before it is loaded. */
    var card by mutableStateOf<Card?>(null)
        private set
    var isLoaded by mutableStateOf(false)
        private set
    var hasFailed by mutableStateOf(false)
        private set

    /** The ID of the button that is running. */
    var running by mutableStateOf<String?>(null)
        private set
    private var askedAt: Long? = null
    private var changes = 0

    /** The failed click of a button. A retry has the same ID, so that the button runs once. */
    private var failedClick: Pair<String, String>? = null

    /** Requests the card, unless that was just done, and after each change. */
    suspend fun follow() {
        val now = SystemClock.elapsedRealtime()
        if (askedAt?.let { now - it < FRESH_MS } != true) refresh()
        source.changes(message).collect { refresh() }
    }

    suspend fun refresh() {
        if (running != null) return
        askedAt = SystemClock.elapsedRealtime()
        hasFailed = false
        val number = ++changes
        try {
            val answer = source.card(message)
            // The answer to a later click is newer.
            if (number == changes) put(answer)
        } catch (e: ChatRequestException) {
            if (number != changes) return
            askedAt = null
            // The site has no cards, or none for this user.
            if (e.code == "forbidden" || e.code == "unknown_message") put(null) else hasFailed = true
        }
    }

    fun press(button: String) {
        if (running != null) return
        running = button
        changes++
        val clientId = failedClick?.takeIf { it.first == button }?.second ?: UUID.randomUUID().toString()
        failedClick = button to clientId
        scope.launch {
            try {
                put(source.press(message, button, clientId))
                askedAt = SystemClock.elapsedRealtime()
                failedClick = null
            } catch (e: ChatRequestException) {
                onError(e.code)
            } finally {
                running = null
            }
        }
    }

    private fun put(answer: Card?) {
        card = answer
        isLoaded = true
        hasFailed = false
    }
}

/** The card of a message. It is requested when it is shown. */
@Composable
fun SiteCard(message: Message, connection: ConnectionState.Kind, cards: SiteCards) {
    val shown = remember(cards, message.id, message.card) { cards.of(message) }
    val scope = rememberCoroutineScope()
    val lifecycle by LocalLifecycleOwner.current.lifecycle.currentStateAsState()
    val isAsking = lifecycle == Lifecycle.State.RESUMED && connection == ConnectionState.Kind.ONLINE
    LaunchedEffect(shown, isAsking) { if (isAsking) shown.follow() }
    val colors = MaterialTheme.colorScheme
    val shape = RoundedCornerShape(10.dp)
    Column(
        Modifier.fillMaxWidth().clip(shape).background(colors.surface).border(1.dp, colors.outlineVariant, shape).padding(10.dp),
        verticalArrangement = Arrangement.spacedBy(4.dp),
    ) {
        val card = shown.card
        ProvideTextStyle(LocalTextStyle.current.copy(color = colors.onSurface, textDirection = TextDirection.Content)) {
            when {
                card != null -> Content(card, shown, cards.source)
                shown.isLoaded -> Text(stringResource(R.string.card_none), color = colors.onSurfaceVariant)
                shown.hasFailed -> {
                    Text(stringResource(R.string.card_failed))
                    TextButton({ scope.launch { shown.refresh() } }) { Text(stringResource(R.string.common_again)) }
                }
                isAsking -> Box(Modifier.fillMaxWidth().heightIn(min = 72.dp), Alignment.Center) { CircularProgressIndicator(Modifier.size(24.dp)) }
                else -> Text(stringResource(R.string.conn_offline), color = colors.onSurfaceVariant)
            }
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Content(card: Card, shown: SiteCard, source: CardSource) {
    val colors = MaterialTheme.colorScheme
    val browser = LocalUriHandler.current
    val page = card.url?.let(source::address)
    Text(stringResource(R.string.card_from, isolate(source.site)), color = colors.onSurfaceVariant, style = MaterialTheme.typography.labelMedium)
    Row(horizontalArrangement = Arrangement.spacedBy(10.dp)) {
        Column(Modifier.weight(1f), Arrangement.spacedBy(2.dp)) {
            Text(
                card.title,
                if (page == null) Modifier else Modifier.clickable { browser.openUri(page) }.heightIn(min = 48.dp).wrapContentHeight(),
                color = if (page == null) colors.onSurface else colors.primary,
                fontWeight = FontWeight.Bold,
                textDecoration = if (page == null) null else TextDecoration.Underline,
            )
            card.text?.let { Text(it, style = LocalTextStyle.current.merge(MaterialTheme.typography.bodyMedium).copy(textDirection = TextDirection.Content)) }
            // Read aloud when a button has changed it.
            card.state?.let { Text(it, Modifier.semantics { liveRegion = LiveRegionMode.Polite }, fontWeight = FontWeight.Bold) }
        }
        card.image?.let(source::address)?.let { address ->
            var hasFailed by remember(address) { mutableStateOf(false) }
            if (!hasFailed) {
                val size = Modifier.size(64.dp).clip(RoundedCornerShape(8.dp))
                AsyncImage(address, contentDescription = null, size, contentScale = ContentScale.Crop, onError = { hasFailed = true })
            }
        }
    }
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        for (button in card.buttons) {
            OutlinedButton({ shown.press(button.id) }, enabled = shown.running == null) { Text(button.label) }
        }
    }
}
