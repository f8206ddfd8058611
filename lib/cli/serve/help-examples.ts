/** The last part of `serve --help`. */
export const SERVE_EXAMPLES = `
Examples:
  Try it on this machine:
    $ npx express-bits-upload serve ./incoming

  For other machines, with TLS, passwords and a list of the uploaded files:
    $ npx express-bits-upload passwd users.htpasswd alice
    $ npx express-bits-upload serve /srv/incoming --host 0.0.0.0 --port 443 \\
        --tls-cert cert.pem --tls-key key.pem --htpasswd users.htpasswd --list --live

  With limits, at http://server:8080/uploads/:
    $ npx express-bits-upload serve ./incoming --path /uploads \\
        --max-upload-size 10GB --max-bandwidth 20MB --session-timeout 3d --overwrite

  In place of an IIS virtual directory, with its properties and its application:
    $ npx express-bits-upload serve D:\\uploads --iis-file virtual-directory.json \\
        --iis BITSServerNotificationType=1 --iis BITSServerNotificationURL=http://localhost/app.aspx \\
        --notify-timeout 60s --notify-header @secret.txt
    where virtual-directory.json holds { "BITSAllowOverwrites": 1, "BITSMaximumUploadSize": "10737418240" },
    and secret.txt a line like "Authorization: Bearer ...", by which the application recognizes the server

  Then, from Windows:
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination http://server:8080/a.zip
    PS> Start-BitsTransfer -TransferType Upload -Source C:\\a.zip -Destination https://server/a.zip \`
          -Authentication Basic -Credential alice
    C:\\> bitsadmin /transfer job /upload /priority foreground http://server:8080/a.zip C:\\a.zip

Stopping: on SIGTERM or Ctrl+C, the server accepts no new connections and lets running requests finish (--grace).
Sessions are kept, and continue after the next start. A second signal, at least half a second later, ends it at once.
On SIGHUP, it reopens the access log (for logrotate) and reloads its TLS certificates.

Exit codes: 0 stopped by a signal, 1 failure (port taken, file unreadable), 2 usage error or invalid settings,
130 and 143 ended at once by a second Ctrl+C or SIGTERM.`
