package io.github.phpsessionchat.app

import android.Manifest.permission.POST_NOTIFICATIONS
import android.app.Activity
import android.content.Context
import android.content.pm.PackageManager
import android.os.Build
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.RequestPermission
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.ui.platform.LocalContext

/**
 * Asks for the permission to show notifications when the user takes part in a conversation. Then it is clear what for.
 * Does not ask again after the user has declined.
 */
@Composable
fun NotificationPermission(takesPart: Boolean) {
    val context = LocalContext.current
    val permission = rememberLauncherForActivityResult(RequestPermission()) {}
    LaunchedEffect(takesPart) { if (takesPart && isNeeded(context)) permission.launch(POST_NOTIFICATIONS) }
}

private fun isNeeded(context: Context): Boolean {
    if (Build.VERSION.SDK_INT < 33 || context.checkSelfPermission(POST_NOTIFICATIONS) == PackageManager.PERMISSION_GRANTED) return false
    // Only an app with pushes declares it.
    val declared = context.packageManager.getPackageInfo(context.packageName, PackageManager.GET_PERMISSIONS).requestedPermissions.orEmpty()
    return POST_NOTIFICATIONS in declared && (context as? Activity)?.shouldShowRequestPermissionRationale(POST_NOTIFICATIONS) != true
}
