package io.github.phpsessionchat.app

import androidx.compose.foundation.background
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.shape.RoundedCornerShape
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import coil.compose.AsyncImage
import io.github.phpsessionchat.Identity

/**
 * The site's look, from `CHAT_NAME` and `CHAT_LOGO` of the chat server.
 *
 * @param logo the address of the picture
 */
data class Site(val name: String?, val logo: String?)

/** @param server the address of the chat server */
fun siteOf(me: Identity, server: String) = Site(me.siteName, me.siteLogo?.let { "${server.trimEnd('/')}/$it" })

/** Shows the logo and this name. */
@Composable
fun SiteTitle(site: Site, name: String, modifier: Modifier = Modifier) {
    Row(modifier, Arrangement.spacedBy(10.dp), Alignment.CenterVertically) {
        var hasFailed by remember(site.logo) { mutableStateOf(false) }
        if (site.logo != null && !hasFailed) {
            AsyncImage(
                site.logo,
                contentDescription = null,
                // Its transparent parts are white in dark mode too.
                Modifier.size(28.dp).clip(RoundedCornerShape(6.dp)).background(Color.White),
                onError = { hasFailed = true },
            )
        }
        Text(name, fontWeight = FontWeight.Bold, maxLines = 1, overflow = TextOverflow.Ellipsis)
    }
}
