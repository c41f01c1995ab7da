// A small HTTP server that the management API is mounted in, and a client for it. One request on one connection at a
// time, on loopback.

#ifndef HOOKBOX_TESTS_SERVER_HPP
#define HOOKBOX_TESTS_SERVER_HPP

#include "check.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <functional>
#include <strings.h>
#include <thread>

/// A header's value; empty when there is none.
inline std::string header(const std::vector<hookbox::Header> &headers, const char *name) {
    for (const hookbox::Header &one : headers) {
        if (::strcasecmp(one.name.c_str(), name) == 0) {
            return one.value;
        }
    }
    return {};
}

/// One side of a connection.
class Wire {
  public:
    explicit Wire(int socket) : socket_(socket) {
        timeval patience = {20, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    Wire(const Wire &) = delete;
    Wire &operator=(const Wire &) = delete;
    ~Wire() { ::close(socket_); }

    /// Reads a message: its first line, its headers, and as much of a body as Content-Length says.
    bool read(std::string &line, std::vector<hookbox::Header> &headers, std::string &body, bool has_body = true) {
        std::size_t end = std::string::npos;
        while ((end = body.find("\r\n\r\n")) == std::string::npos) {
            if (!read_some(body)) {
                return false;
            }
        }
        std::string head = body.substr(0, end + 2);
        body.erase(0, end + 4);
        std::size_t at = head.find("\r\n");
        line = head.substr(0, at);
        for (at += 2; at < head.size();) {
            std::size_t next = head.find("\r\n", at);
            std::size_t colon = head.find(':', at);
            std::size_t value = head.find_first_not_of(' ', colon + 1);
            headers.push_back({head.substr(at, colon - at), head.substr(value, next - value)});
            at = next + 2;
        }
        std::size_t wanted = has_body ? std::strtoul(header(headers, "content-length").c_str(), nullptr, 10) : 0;
        while (body.size() < wanted) {
            if (!read_some(body)) {
                return false;
            }
        }
        return body.size() == wanted;
    }

    void write(std::string_view text) {
        while (!text.empty()) {
            ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            check(sent > 0);
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

  private:
    bool read_some(std::string &into) {
        char some[16384];
        ssize_t bytes = ::recv(socket_, some, sizeof some, 0);
        if (bytes > 0) {
            into.append(some, static_cast<std::size_t>(bytes));
        }
        return bytes > 0;
    }

    int socket_;
};

/// Calls a function for each request, and sends what it gives.
class Server {
  public:
    using Handler = std::function<hookbox::ApiResponse(const hookbox::ApiRequest &)>;

    explicit Server(Handler handler) : handler_(std::move(handler)) {
        address_.sin_family = AF_INET;
        address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t bytes = sizeof address_;
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        check(::bind(listener_, reinterpret_cast<sockaddr *>(&address_), bytes) == 0);
        check(::listen(listener_, 16) == 0);
        check(::getsockname(listener_, reinterpret_cast<sockaddr *>(&address_), &bytes) == 0);
        thread_ = std::thread([this] { serve(); });
    }
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;
    ~Server() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }

    /// Sends a request over a connection of its own, and gives the answer.
    hookbox::ApiResponse ask(const std::string &method, const std::string &target,
                             const std::vector<hookbox::Header> &headers = {}, const std::string &body = {}) {
        int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        Wire wire(socket);
        check(::connect(socket, reinterpret_cast<sockaddr *>(&address_), sizeof address_) == 0);
        std::string text = method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
        for (const hookbox::Header &one : headers) {
            text += one.name + ": " + one.value + "\r\n";
        }
        wire.write(text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        hookbox::ApiResponse answer;
        std::string line;
        check(wire.read(line, answer.headers, answer.body, method != "HEAD"));
        answer.http_status = static_cast<std::uint16_t>(std::strtoul(line.substr(9, 3).c_str(), nullptr, 10));
        return answer;
    }

  private:
    void serve() {
        for (;;) {
            int socket = ::accept(listener_, nullptr, nullptr);
            if (socket < 0) {
                return; // The destructor shut the listener down.
            }
            Wire wire(socket);
            hookbox::ApiRequest request;
            std::string line;
            if (!wire.read(line, request.headers, request.body)) {
                continue; // It went away.
            }
            std::size_t target = line.find(' ') + 1;
            request.method = line.substr(0, target - 1);
            request.target = line.substr(target, line.find(' ', target) - target);
            hookbox::ApiResponse response = handler_(request);
            std::string text = "HTTP/1.1 " + std::to_string(response.http_status) + " -\r\n";
            for (const hookbox::Header &one : response.headers) {
                text += one.name + ": " + one.value + "\r\n";
            }
            if (request.method != "HEAD" && response.http_status != 204) {
                text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
            }
            wire.write(text + "Connection: close\r\n\r\n" + response.body);
        }
    }

    Handler handler_;
    sockaddr_in address_ = {};
    int listener_ = -1;
    std::thread thread_;
};

#endif
