import Foundation

extension Server {
    /// nginx with its own dav module for PUT, DELETE and MKCOL, and dav-ext for PROPFIND.
    public static func nginx(_ home: TemporaryHome, _ folder: String, _ port: Int) throws -> Recipe {
        let module = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"
        let configuration = """
            load_module \(module);
            daemon off;
            worker_processes 2;
            pid "\(home.file("nginx.pid"))";
            error_log stderr;
            \(getuid() == 0 ? "user root;" : "")
            events { worker_connections 256; }
            http {
                access_log off;
                client_body_temp_path "\(home.file("tmp/body"))";
                proxy_temp_path "\(home.file("tmp/proxy"))";
                fastcgi_temp_path "\(home.file("tmp/fastcgi"))";
                uwsgi_temp_path "\(home.file("tmp/uwsgi"))";
                scgi_temp_path "\(home.file("tmp/scgi"))";
                server {
                    listen 127.0.0.1:\(port);
                    client_max_body_size 0;
                    root "\(folder)";
                    dav_methods PUT DELETE MKCOL COPY MOVE;
                    dav_ext_methods PROPFIND OPTIONS;
                }
            }
            """
        let file = try home.write(configuration, to: "nginx.conf")
        return Recipe(command: Command("/usr/sbin/nginx", ["-c", file, "-e", "stderr"]), sign: "nginx.pid")
    }

    /// `rclone serve webdav`: the WebDAV of Go's x/net, which knows no If-None-Match.
    public static func rclone(_ home: TemporaryHome, _ folder: String, _ port: Int) throws -> Recipe {
        let configuration = try home.write("", to: "rclone.conf")
        let arguments = [
            "serve", "webdav", folder, "--addr", "127.0.0.1:\(port)", "--config", configuration,
            "--vfs-cache-mode", "off", "--log-level", "INFO",
        ]
        return Recipe(command: Command("rclone", arguments), sign: "log", text: "Server started on")
    }

    /// WsgiDAV, from PyPI: it keeps what it got of a broken upload.
    public static func wsgidav(_ home: TemporaryHome, _ folder: String, _ port: Int) throws -> Recipe {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "/root")/.cache"
        let python = "\(cache)/coffer-tests/wsgidav/bin/python3"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw TestFailure("there is no \(python): Tests/run installs it")
        }
        // Its own program says that it listens before it does.
        let script = """
            import sys
            from cheroot import wsgi
            from wsgidav.wsgidav_app import WsgiDAVApp
            folder, port, sign = sys.argv[1:]
            app = WsgiDAVApp({
                "provider_mapping": {"/": folder},
                "simple_dc": {"user_mapping": {"*": True}},
                "lock_storage": True,
                "logging": {"enable": True},
            })
            server = wsgi.Server(("127.0.0.1", int(port)), app, numthreads=16, request_queue_size=128, timeout=300)
            server.prepare()
            open(sign, "w").close()
            server.serve()
            """
        let file = try home.write(script, to: "serve.py")
        let command = Command(python, [file, folder, "\(port)", home.file("listens")])
        return Recipe(command: command, sign: "listens")
    }
}
