package io.github.phpsessionchat.app

import androidx.compose.foundation.clickable
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.RowScope
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.windowInsetsPadding
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.selection.selectable
import androidx.compose.foundation.selection.toggleable
import androidx.compose.material.icons.Icons
import androidx.compose.material.icons.automirrored.filled.ArrowBack
import androidx.compose.material3.AlertDialog
import androidx.compose.material3.Button
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.LocalContentColor
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.ModalBottomSheet
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.ProvideTextStyle
import androidx.compose.material3.RadioButton
import androidx.compose.material3.Surface
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TopAppBarDefaults
import androidx.compose.material3.rememberModalBottomSheetState
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.layout.Layout
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.Constraints
import androidx.compose.ui.unit.dp
import io.github.phpsessionchat.User

/** A bar that grows with its content, as large text needs. Material's bar has a fixed height. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun TopBar(navigationIcon: (@Composable () -> Unit)?, title: @Composable () -> Unit, actions: @Composable RowScope.() -> Unit = {}) {
    Surface(color = MaterialTheme.colorScheme.background) {
        Row(
            Modifier.fillMaxWidth()
                .windowInsetsPadding(TopAppBarDefaults.windowInsets)
                .heightIn(min = TopAppBarDefaults.TopAppBarExpandedHeight)
                .padding(4.dp),
            verticalAlignment = Alignment.CenterVertically,
        ) {
            navigationIcon?.invoke()
            Box(Modifier.weight(1f).padding(start = if (navigationIcon == null) 12.dp else 4.dp, end = 4.dp)) {
                ProvideTextStyle(MaterialTheme.typography.titleLarge, title)
            }
            CompositionLocalProvider(LocalContentColor provides MaterialTheme.colorScheme.onSurfaceVariant) { actions() }
        }
    }
}

/** The bar of a screen that was opened on top of another. */
@Composable
fun ScreenBar(title: String, closeLabel: Int, onClose: () -> Unit, actions: @Composable RowScope.() -> Unit = {}) {
    TopBar(
        navigationIcon = { IconButton(onClick = onClose) { Icon(Icons.AutoMirrored.Filled.ArrowBack, stringResource(closeLabel)) } },
        title = { Text(title, Modifier.semantics { heading() }, fontWeight = FontWeight.Bold, maxLines = 2, overflow = TextOverflow.Ellipsis) },
        actions,
    )
}

@Composable
fun SectionHeading(text: String) {
    Text(
        text,
        Modifier.padding(16.dp, 12.dp).semantics { heading() },
        MaterialTheme.colorScheme.onSurfaceVariant,
        style = MaterialTheme.typography.labelLarge,
    )
}

/** Space between a content and its control. */
private val CONTROL_SPACE = 12.dp

/** Shows a control at the end of a content, or below it if the control needs more than half of the width, as in large text. */
@Composable
fun WithControl(control: @Composable () -> Unit, modifier: Modifier = Modifier, content: @Composable () -> Unit) {
    Layout(listOf(content, control), modifier) { (contents, controls), constraints ->
        val width = constraints.maxWidth
        val end = controls.singleOrNull()?.measure(Constraints(maxWidth = width))
        val isBelow = end != null && end.width > width / 2
        val taken = if (end == null || isBelow) 0 else end.width + CONTROL_SPACE.roundToPx()
        val start = contents.single().measure(Constraints.fixedWidth(width - taken))
        val endHeight = end?.height ?: 0
        val height = if (isBelow) start.height + endHeight else maxOf(start.height, endHeight)
        layout(width, height) {
            start.placeRelative(0, if (isBelow) 0 else (height - start.height) / 2)
            end?.placeRelative(width - end.width, if (isBelow) start.height else (height - end.height) / 2)
        }
    }
}

/**
 * A user in a list.
 *
 * @param note shown below the name
 */
@Composable
fun PersonRow(
    user: User,
    note: String?,
    onClick: (() -> Unit)?,
    modifier: Modifier = Modifier,
    end: @Composable () -> Unit = {},
) {
    Row(
        // A disabled click would be read aloud.
        modifier.fillMaxWidth()
            .then(if (onClick == null) Modifier.semantics(mergeDescendants = true) {} else Modifier.clickable(onClick = onClick))
            .heightIn(min = 56.dp).padding(16.dp, 8.dp),
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Avatar(user.id, nameOf(user), 40.dp)
        WithControl(end, Modifier.weight(1f)) {
            Column {
                Text(nameOf(user), maxLines = 2, overflow = TextOverflow.Ellipsis)
                if (note != null) {
                    Text(note, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.bodySmall)
                }
            }
        }
    }
}

/** A text field of a form. */
@Composable
fun FormField(label: String, text: String, tag: String, isWrong: Boolean = false, onChange: (String) -> Unit) {
    OutlinedTextField(
        text,
        onChange,
        Modifier.fillMaxWidth().padding(horizontal = 16.dp).testTag(tag),
        textStyle = inOwnDirection,
        label = { Text(label) },
        isError = isWrong,
    )
}

/** One of several exclusive choices. */
@Composable
fun Choice(label: String, isChosen: Boolean, hint: String? = null, onChoose: () -> Unit) {
    Row(
        Modifier.fillMaxWidth()
            .selectable(isChosen, role = Role.RadioButton, onClick = onChoose)
            .heightIn(min = 48.dp)
            .padding(16.dp, 8.dp),
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        RadioButton(isChosen, onClick = null)
        Column {
            Text(label)
            if (hint != null) Text(hint, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.bodySmall)
        }
    }
}

/** Asks before something that cannot be undone. */
@Composable
fun AskDialog(title: String, text: String?, confirm: String, dismiss: String, onClose: () -> Unit, onConfirm: () -> Unit) {
    AlertDialog(
        onDismissRequest = onClose,
        title = { Text(title) },
        text = text?.let { { Text(it) } },
        confirmButton = {
            TextButton(
                onClick = {
                    onClose()
                    onConfirm()
                },
            ) { Text(confirm, color = MaterialTheme.colorScheme.error) }
        },
        dismissButton = { TextButton(onClick = onClose) { Text(dismiss) } },
    )
}

/** A sheet with fields and a button. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun FormSheet(
    title: String,
    confirm: String,
    onClose: () -> Unit,
    onConfirm: () -> Unit,
    canConfirm: Boolean = true,
    content: @Composable () -> Unit,
) {
    ModalBottomSheet(onDismissRequest = onClose, sheetState = rememberModalBottomSheetState(skipPartiallyExpanded = true)) {
        LazyColumn(contentPadding = PaddingValues(16.dp, 0.dp, 16.dp, 16.dp), verticalArrangement = Arrangement.spacedBy(12.dp)) {
            item { Text(title, Modifier.semantics { heading() }, style = MaterialTheme.typography.titleLarge) }
            item { Column(verticalArrangement = Arrangement.spacedBy(8.dp)) { content() } }
            item {
                Button(
                    onClick = {
                        onClose()
                        onConfirm()
                    },
                    Modifier.fillMaxWidth(),
                    enabled = canConfirm,
                ) { Text(confirm) }
            }
        }
    }
}

/** A setting with a control at its end. */
@Composable
fun SettingRow(label: String, hint: String?, modifier: Modifier = Modifier, control: @Composable () -> Unit) {
    Box(modifier.fillMaxWidth().heightIn(min = 56.dp).padding(16.dp, 8.dp), Alignment.CenterStart) {
        WithControl(control) {
            Column {
                Text(label)
                if (hint != null) Text(hint, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.bodySmall)
            }
        }
    }
}

@Composable
fun SwitchRow(label: String, hint: String?, isOn: Boolean, canChange: Boolean = true, onChange: (Boolean) -> Unit) {
    SettingRow(label, hint, Modifier.toggleable(isOn, canChange, Role.Switch, onValueChange = onChange)) {
        Switch(isOn, onCheckedChange = null, enabled = canChange)
    }
}
